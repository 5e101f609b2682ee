"""Fixtures of the methods that change generators."""

import pytest

from latentloop.features.lpips import Lpips, load_lpips
from random_networks import NETWORKS, Network, random_network


@pytest.fixture(scope="module")
def lpips() -> Lpips:
    return load_lpips("alex")


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return random_network(request.param, double=False)

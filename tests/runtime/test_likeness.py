from dataclasses import replace

import numpy as np
import pytest
import torch

from latentloop.features.mobilefacenet import load_mobilefacenet
from latentloop.metrics.identity import identity_similarity
from latentloop.runtime import Networks
from latentloop.runtime.likeness import likeness


@pytest.mark.parametrize("size", [256, 512, 200])
def test_likeness_is_that_of_pytorch(networks: Networks, size: int) -> None:
    randomness = np.random.default_rng(0)
    image = randomness.uniform(-1, 1, (1, 3, size, size)).astype(np.float32)
    target = (image + randomness.uniform(-1, 1, image.shape)).clip(-1, 1).astype(np.float32)
    with torch.inference_mode():
        expected = identity_similarity(torch.from_numpy(image), torch.from_numpy(target), load_mobilefacenet())
    assert likeness(image, target, networks) == pytest.approx(expected.item(), abs=1e-4)
    assert likeness(image, image, networks) == pytest.approx(1)


def test_without_the_network_it_is_not_known(networks: Networks) -> None:
    image = np.zeros((1, 3, 256, 256), np.float32)
    assert likeness(image, image, replace(networks, embed_identity=None)) is None

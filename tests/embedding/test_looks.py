"""A network that looks at a photo twice."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from latentloop.embedding import components_for, set_up
from latentloop.embedding.options import EmbedOptions, SearchOptions
from latentloop.embedding.starts import NetworkStart
from latentloop.encoders import EmbedderConfig, TwoLooks, make_embedder, save_embedder
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.options import with_changes
from latentloop.photo_editing.subject_options import SubjectOptions

TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)
BASE: dict[str, Any] = {"device": "cpu", "precision": "float32", "lambda_lpips": 0.0}
pytestmark = pytest.mark.usefixtures("toy_shipped")


@pytest.fixture
def network(float_toy: Generator, tmp_path: Path) -> Path:
    """One whose second look changes codes."""
    embedder = make_embedder(replace(TINY, second_look=True), float_toy, seed=0)
    assert embedder.second
    torch.nn.init.normal_(embedder.second.head.within_columns)  # type: ignore[arg-type]
    save_embedder(tmp_path / "network.safetensors", embedder)
    return tmp_path / "network.safetensors"


@pytest.mark.parametrize("steps", [0, 2])
def test_two_looks_are_asked_for_and_stamped(network: Path, steps: int) -> None:
    faces, codes = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1, []
    for looks in (1, 2):
        options = with_changes(EmbedOptions(), {**BASE, "embedder": str(network), "steps": steps, "looks": looks})
        setup = set_up(options, components_for(options))
        assert isinstance(setup.start, NetworkStart)
        assert isinstance(setup.start.encoder, TwoLooks) == (looks == 2)
        assert setup.stamp().get("looks") == (2 if looks == 2 else None)
        codes.append(setup.start.codes(faces, []))
    assert (codes[0] - codes[1]).abs().max() > 1e-3


def test_a_network_that_takes_one_look_is_refused_two(float_toy: Generator, tmp_path: Path) -> None:
    save_embedder(tmp_path / "network.safetensors", make_embedder(TINY, float_toy, seed=0))
    options = with_changes(EmbedOptions(), {**BASE, "embedder": str(tmp_path / "network.safetensors"), "looks": 2})
    with pytest.raises(UserError, match="the network was not trained for a second look") as caught:
        set_up(options, components_for(options))
    assert caught.value.arguments == ("looks",)


def test_nobody_looks_three_times() -> None:
    with pytest.raises(ValueError, match="looks must be 1 or 2, got 3"):
        SearchOptions(looks=3)


def test_codes_of_two_looks_are_kept_and_found_apart() -> None:
    options = SubjectOptions(search=SearchOptions(looks=2))
    assert options.folder == Path("embedded/looks2")
    assert "looks" in options.deciding
    assert "looks" not in SubjectOptions().deciding

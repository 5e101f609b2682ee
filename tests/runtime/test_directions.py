from pathlib import Path

import numpy as np
import pytest
import torch

from latentloop import editing
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.runtime import Networks
from latentloop.runtime.directions import conditional, edit, find_direction, resolve, shipped_directions

NAMES = ("smile", "age", "yaw", "glasses")


def test_bundled_directions_are_those_of_pytorch(networks: Networks, generator: Generator) -> None:
    expected, found = editing.shipped_directions(generator), shipped_directions(networks)
    assert list(found) == list(expected)
    for name, direction in found.items():
        assert np.array_equal(direction.change(), expected[name].change().numpy())
        assert direction.about == expected[name].about


@pytest.mark.parametrize("keep", [(), ("gender",), ("gender", "glasses", "smile")])
@pytest.mark.parametrize("layers", [None, "0-3", "middle"])
def test_edits_are_those_of_pytorch(
    networks: Networks, generator: Generator, keep: tuple[str, ...], layers: str | None
) -> None:
    from latentloop.photo_editing.applied_directions import resolve_directions

    strengths = {"age": 1.5, "yaw": -0.7}
    codes = np.random.default_rng(0).standard_normal((2, networks.num_ws, networks.w_dim)).astype(np.float32)
    expected = resolve_directions(list(strengths.items()), generator, keep=keep, layers=layers)
    found = edit(codes, resolve(strengths, networks, keep=keep, layers=layers))
    assert not np.array_equal(found, codes)
    np.testing.assert_allclose(found, expected.apply(torch.from_numpy(codes)).numpy(), rtol=0, atol=2e-6)


def test_strength_0_changes_nothing(networks: Networks) -> None:
    codes = np.ones((1, networks.num_ws, networks.w_dim), np.float32)
    assert np.array_equal(edit(codes, resolve({"smile": 0.0}, networks)), codes)


def test_a_direction_is_made_orthogonal_to_those_that_are_kept(networks: Networks) -> None:
    shipped = shipped_directions(networks)
    kept = [shipped["gender"], shipped["glasses"]]
    rest = conditional(shipped["age"], kept)
    rows = list(rest.layers)
    for one in kept:
        of_kept = np.broadcast_to(one.vector, rest.change().shape)[rows]
        assert abs((rest.change()[rows] * of_kept).sum()) < 1e-4
    assert conditional(shipped["age"], []) is shipped["age"]


def test_directions_of_files_are_read(networks: Networks, generator: Generator, tmp_path: Path) -> None:
    ours = editing.shipped_directions(generator)
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    editing.save_directions(one, [ours["smile"]])
    editing.save_directions(two, [ours["smile"], ours["age"]])
    assert find_direction(str(one), networks).name == "smile"
    assert find_direction(f"{two}:age", networks).name == "age"
    with pytest.raises(UserError, match="has 2 directions"):
        find_direction(str(two), networks)
    with pytest.raises(UserError, match="has no direction ago, did you mean age"):
        find_direction(f"{two}:ago", networks)


def test_what_is_no_direction_is_said(networks: Networks) -> None:
    with pytest.raises(UserError, match=r"smil: neither a file nor a bundled direction .*, did you mean smile"):
        find_direction("smil", networks)
    with pytest.raises(UserError, match="smile: nothing is left to change"):
        resolve({"smile": 1.0}, networks, keep=["smile"])
    with pytest.raises(UserError, match="this generator has the layers 0 to 15"):
        resolve({"smile": 1.0}, networks, layers="16")

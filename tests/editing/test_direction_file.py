import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from latentloop.editing import (
    Direction,
    direction_file,
    find_direction,
    read_directions,
    save_directions,
    shipped_directions,
)
from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.weights import WeightsFile

SMILE = Direction(
    "smile",
    torch.linspace(-1, 1, 8),
    (0, 1, 3),
    4,
    fingerprint="0123456789abcdef",
    generator="toy-32",
    licence="CC0",
    origin="drawn from a hat",
    about={"std": 1.5, "notes": ["ä", None]},
)
AGE = replace(SMILE, name="age", vector=torch.arange(32.0).reshape(4, 8).half(), layers=(2,), about={})
OTHER = replace(SMILE, name="pose", fingerprint="f" * 16, generator="cats")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_directions(tmp_path / "some.safetensors", [SMILE, AGE])
    return tmp_path / "some.safetensors"


def same(one: Direction, other: Direction) -> bool:
    return torch.equal(one.vector, other.vector) and replace(one, vector=other.vector) == other


def test_directions_come_back_as_they_were(path: Path) -> None:
    found = read_directions(path)
    assert list(found) == ["smile", "age"]
    assert same(found["smile"], SMILE)
    assert same(found["age"], replace(AGE, vector=AGE.vector.float()))
    assert path.stat().st_size < 8 * 4 + 32 * 2 + 1000


@pytest.mark.parametrize("names", [["a", "a"], [""], ["a:b"], ["a\nb"], [" a"]], ids=str)
def test_names_that_no_command_can_name_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(UserError, match="cannot name a direction"):
        save_directions(tmp_path / "file", [replace(SMILE, name=name) for name in names])
    assert not (tmp_path / "file").exists()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.safetensors: no such weights file"):
        read_directions(tmp_path / "none.safetensors")


def told(**changes: object) -> dict[str, Any]:
    about = {
        "layers": "0-3",
        "num_ws": 4,
        "fingerprint": "0",
        "generator": "g",
        "licence": "",
        "origin": "",
        "about": {},
    }
    return {name: value for name, value in (about | changes).items() if value is not ...}


@pytest.mark.parametrize(
    ("metadata", "vector", "message"),
    [
        (None, torch.ones(8), r"not a file of directions \(kind: none\)"),
        ("embedder {}", torch.ones(8), r"not a file of directions \(kind: embedder\)"),
        ("directions", torch.ones(8), "damaged"),
        ("directions " + "[" * 100_000, torch.ones(8), "damaged"),
        ("directions []", torch.ones(8), "its settings are damaged"),
        ({"smile": told()}, torch.ones(8), "its metadata and its tensors name different directions"),
        ({"a": []}, torch.ones(8), "damaged"),
        ({"a": told(layers=...)}, torch.ones(8), "layers is missing"),
        ({"a": told(layers="0-4")}, torch.ones(8), "this generator has the layers 0 to 3"),
        ({"a": told(layers=3)}, torch.ones(8), "a has metadata of the wrong types"),
        ({"a": told(num_ws=10**9)}, torch.ones(8), "a has 1000000000 layers"),
        ({"a": told(num_ws=True)}, torch.ones(8), "a has True layers"),
        ({"a": told(num_ws=0)}, torch.ones(8), "a has 0 layers"),
        ({"a": told(num_ws=3)}, torch.ones(4, 8), r"a is \(4, 8\) with 3 layers"),
        ({"a": told()}, torch.ones(1, 4, 8), r"a is \(1, 4, 8\)"),
        ({"a": told()}, torch.ones(0), r"a is \(0,\)"),
        ({"a": told()}, torch.tensor(1.0), r"a is \(\)"),
        ({"a": told()}, torch.tensor([1, torch.inf]), "not finite"),
        ({"a": told(origin=None)}, torch.ones(8), "a has metadata of the wrong types"),
        ({"a": told(about=[])}, torch.ones(8), "a has metadata of the wrong types"),
    ],
)
def test_other_and_damaged_files_are_refused_in_one_line(
    tmp_path: Path, metadata: object, vector: torch.Tensor, message: str
) -> None:
    text = f"directions {json.dumps(metadata)}" if isinstance(metadata, dict) else metadata
    save_file({"a": vector}, tmp_path / "file", None if text is None else {"latentloop": str(text)})
    with pytest.raises(UserError, match=message) as caught:
        read_directions(tmp_path / "file")
    assert str(caught.value).startswith(str(tmp_path / "file"))
    assert "\n" not in str(caught.value)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the place of those that we ship."""
    path = tmp_path / "shipped.safetensors"
    save_directions(path, [SMILE, replace(AGE, vector=AGE.vector.float()), OTHER])
    monkeypatch.setattr(direction_file, "SHIPPED", (WeightsFile(path, sha256_of(path)),))
    return path


def test_shipped_directions_are_those_of_the_generator(shipped: Path, float_toy: Generator) -> None:
    assert list(shipped_directions(float_toy)) == ["smile", "age"]
    assert same(find_direction("smile", float_toy), SMILE)
    float_toy.fingerprint = "e" * 16
    assert shipped_directions(float_toy) == {}
    with shipped.open("ab") as file:
        file.write(b"x")
    with pytest.raises(UserError, match="wrong or damaged"):
        shipped_directions(float_toy)


def test_all_files_that_we_name_are_there() -> None:
    for file in direction_file.SHIPPED:
        assert read_directions(file)


def test_a_direction_is_found_in_a_file(path: Path, float_toy: Generator, tmp_path: Path) -> None:
    assert same(find_direction(f"{path}:smile", float_toy), SMILE)
    save_directions(tmp_path / "one", [SMILE])
    assert same(find_direction(tmp_path / "one", float_toy), SMILE)
    np.save(tmp_path / "boundary.npy", np.ones((1, 8)))
    assert find_direction(str(tmp_path / "boundary.npy"), float_toy).name == "boundary"
    assert find_direction(f"{tmp_path / 'boundary.npy'}:boundary", float_toy).layers == (0, 1, 2, 3)


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smil", "^smil: neither a file nor a bundled direction of toy-32, did you mean smile.; see latentloop"),
        ("xyz", "^xyz: neither a file nor a bundled direction of toy-32; see latentloop directions list$"),
        ("pose", "^pose: a direction of cats, not of toy-32$"),
        ("{path}", r"has 2 directions \(smile, age\); name one: .*some\.safetensors:smile$"),
        ("{path}:agee", r"some.safetensors: has no direction agee, did you mean age\?; see latentloop directions list"),
        ("{path}.none:age", "neither a file nor a bundled direction"),
        ("{other}", r"other: pose: a direction of cats \(latent space ffffffffffffffff\), not of toy-32"),
    ],
)
def test_what_is_no_direction_is_told_with_what_to_do(
    path: Path, float_toy: Generator, tmp_path: Path, name: str, message: str
) -> None:
    save_directions(tmp_path / "other", [OTHER])
    with pytest.raises(UserError, match=message):
        find_direction(name.format(path=path, other=tmp_path / "other"), float_toy)


def test_damaged_files_are_read_or_refused(path: Path, float_toy: Generator) -> None:
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        try:
            find_direction(f"{path}:smile", float_toy)
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017 - that it is raised is not certain

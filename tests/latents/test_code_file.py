import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps
from torch import Tensor

from latentloop.errors import UserError
from latentloop.generators.protocol import Generator
from latentloop.latents.code_file import Code, load_code, save_code, start_from

FIELDS = (
    *("version", "w_plus", "space", "generator", "fingerprint"),
    *("quad", "original_size", "losses", "steps", "details"),
)
MakeCode = Callable[..., Code]


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.path,)


@pytest.fixture
def saved(make_code: MakeCode, tmp_path: Path) -> Path:
    path = tmp_path / "code.npz"
    save_code(path, make_code())
    return path


def arrays_of(path: Path) -> dict[str, Any]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)


def rewrite(path: Path, changes: Mapping[str, Any]) -> None:
    np.savez(path, **{**arrays_of(path), **changes})


def assert_same(found: Code, expected: Code) -> None:
    for field in fields(Code):
        value, wanted = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(wanted, Tensor):
            assert value.dtype == wanted.dtype
            assert value.shape == wanted.shape
            assert value.numpy().tobytes() == wanted.numpy().tobytes(), field.name
        else:
            assert value == wanted, field.name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"w_plus": torch.tensor([[-0.0, 1e-45, 3.4028235e38], [1 / 3, -1e-30, 2.0]]), "space": "w"},
        {"quad": torch.tensor([[-0.5, 1e300], [1 / 3, 2.0], [0.1, 0.2], [4.0, 5.0]], dtype=torch.float64)},
        {"losses": torch.tensor([float("inf"), float("nan"), 0.1]), "steps": 0},
        {"original_size": (1, 100_000), "generator": "générateur ✓"},
        {"details": {"photo": {"file": "Zoë 'x'\n.jpg"}, "list": [1, 2.5, None, True], "psnr": float("inf")}},
    ],
)
def test_every_field_comes_back_bit_for_bit(make_code: MakeCode, tmp_path: Path, changes: dict[str, Any]) -> None:
    code = make_code(**changes)
    save_code(tmp_path / "new" / "code.npz", code)
    assert_same(load_code(tmp_path / "new" / "code.npz"), code)


def test_numbers_in_an_autograd_graph_are_saved_as_they_are(make_code: MakeCode, tmp_path: Path) -> None:
    code = make_code()
    found = {name: getattr(code, name).clone().requires_grad_() for name in ("w_plus", "quad", "losses")}
    save_code(tmp_path / "code.npz", replace(code, **found))
    assert_same(load_code(tmp_path / "code.npz"), code)


def json_objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.text(max_size=5), values, max_size=3)


finite = {"allow_nan": False, "allow_infinity": False}
leaves = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=9)
json_values = st.recursive(leaves, lambda value: st.lists(value, max_size=3) | json_objects(value), max_leaves=6)
# NumPy's text arrays end at the last character that is not NUL, and hold no lone surrogates.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    code=st.builds(
        Code,
        w_plus=nps.arrays(np.float32, nps.array_shapes(min_dims=2, max_dims=2), elements=finite).map(torch.from_numpy),
        space=st.sampled_from(["w", "w+"]),
        generator=texts,
        fingerprint=texts,
        quad=nps.arrays(np.float64, (4, 2), elements=finite).map(torch.from_numpy),
        original_size=st.tuples(st.integers(1, 2**31), st.integers(1, 2**31)),
        losses=nps.arrays(np.float32, st.integers(0, 5)).map(torch.from_numpy),
        steps=st.integers(0, 2**31),
        details=json_objects(json_values),
    )
)
def test_any_code_comes_back_bit_for_bit(code: Code, tmp_path: Path) -> None:
    save_code(tmp_path / "code.npz", code)
    assert_same(load_code(tmp_path / "code.npz"), code)


def test_numpy_alone_reads_a_code_file_without_pickle(saved: Path, make_code: MakeCode) -> None:
    arrays, code = arrays_of(saved), make_code()
    assert set(arrays) == set(FIELDS)
    assert arrays["version"] == 1
    assert arrays["w_plus"].dtype == arrays["losses"].dtype == np.float32
    assert arrays["quad"].dtype == np.float64
    assert arrays["original_size"].tolist() == [640, 480]
    assert json.loads(str(arrays["details"])) == code.details


@pytest.mark.parametrize("field", FIELDS)
def test_a_pickle_inside_is_refused_and_never_executed(saved: Path, tmp_path: Path, field: str) -> None:
    crater = tmp_path / "crater"
    rewrite(saved, {field: np.array([Bomb(crater)], dtype=object)})
    with pytest.raises(UserError, match=r"code\.npz: not a code file .*no arrays that load without pickle"):
        load_code(saved)
    assert not crater.exists()
    with np.load(saved, allow_pickle=True) as arrays:
        arrays[field]
    assert crater.exists()  # the bomb was live


@pytest.mark.parametrize("field", FIELDS)
def test_a_missing_field_is_named(saved: Path, field: str) -> None:
    arrays = arrays_of(saved)
    del arrays[field]
    np.savez(saved, **arrays)
    with pytest.raises(UserError, match=rf"code\.npz: not a code file of latentloop, or damaged .*{field}"):
        load_code(saved)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": np.int64(3)}, "version 3, this latentloop reads versions 1 and 2"),
        ({"version": np.int64(2)}, "not a code file of latentloop, or damaged .*refined_with"),
        ({"version": np.str_("new")}, "not a code file"),
        ({"version": np.float64("inf")}, "not a code file"),
        ({"w_plus": np.full((4, 8), np.nan)}, r"w_plus must be finite, .* got \(4, 8\)"),
        ({"w_plus": np.full((4, 8), -np.inf)}, "w_plus must be finite"),
        ({"w_plus": np.zeros((1, 4, 8))}, r"\(num_ws, w_dim\), got \(1, 4, 8\)"),
        ({"w_plus": np.zeros(8)}, r"got \(8,\)"),
        ({"w_plus": np.array("x")}, "not a code file"),
        ({"original_size": np.zeros(3, dtype=np.int64)}, "not a code file"),
        ({"details": np.str_("{")}, "not a code file"),
        ({"details": np.str_("[]")}, "details are not a JSON object"),
    ],
)
def test_a_wrong_value_is_refused(saved: Path, changes: dict[str, Any], problem: str) -> None:
    rewrite(saved, changes)
    with pytest.raises(UserError, match=rf"code\.npz: .*{problem}"):
        load_code(saved)


def test_a_huge_claimed_size_is_refused(saved: Path) -> None:
    small, huge = b"'shape': (4, 8), }          ", b"'shape': (4, 8000000000000)}"
    data = saved.read_bytes()
    assert len(small) == len(huge)
    assert data.count(small) == 1
    saved.write_bytes(data.replace(small, huge))
    with pytest.raises(UserError, match="not a code file"):
        load_code(saved)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"\x93NUMPY", b"\x89PNG\r\n\x1a\n"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"other\.npz: not a code file"):
        load_code(path)


def test_a_lone_array_a_folder_and_nothing_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "array.npy", np.zeros((4, 8)))
    (tmp_path / "text").write_text("no arrays")
    for name, problem in (
        ("array.npy", "not a code file"),
        (".", "a folder, not a file of codes"),
        ("text", "not a code file"),
    ):
        with pytest.raises(UserError, match=problem) as caught:
            load_code(tmp_path / name)
        assert "allow_pickle" not in str(caught.value)
    with pytest.raises(UserError, match=r"missing\.npz: no such file"):
        load_code(tmp_path / "missing.npz")


def test_a_truncated_file_is_refused_at_every_length(saved: Path) -> None:
    data = saved.read_bytes()
    for length in range(0, len(data), 7):
        saved.write_bytes(data[:length])
        with pytest.raises(UserError, match="not a code file"):
            load_code(saved)


def test_a_changed_byte_is_refused_or_changes_nothing(saved: Path, make_code: MakeCode) -> None:
    data, chance = saved.read_bytes(), random.Random(0)  # noqa: S311
    refused = 0
    for _ in range(300):
        damaged = bytearray(data)
        damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        saved.write_bytes(damaged)
        try:
            assert_same(load_code(saved), make_code())
        except UserError:
            refused += 1
    assert refused > 150


def test_a_damaged_file_that_numpy_compressed_is_refused(saved: Path) -> None:
    with np.load(saved) as arrays:
        np.savez_compressed(saved, **arrays)
    content, randomness = saved.read_bytes(), random.Random(0)  # noqa: S311
    for _ in range(200):
        damaged = bytearray(content)
        damaged[randomness.randrange(len(content))] ^= 1 << randomness.randrange(8)
        saved.write_bytes(damaged)
        with suppress(UserError):
            load_code(saved)


def test_a_start_is_the_code_in_the_generators_type(saved: Path, make_code: MakeCode, toy: Generator) -> None:
    start = start_from(saved, toy)
    assert start.dtype == torch.float64
    torch.testing.assert_close(start, make_code().w_plus[None].double(), rtol=0, atol=0)


def test_a_start_of_another_generator_is_refused_naming_both(
    make_code: MakeCode, tmp_path: Path, toy: Generator
) -> None:
    save_code(tmp_path / "code.npz", make_code(generator="cats-512", fingerprint="f" * 16))
    with pytest.raises(
        UserError, match=rf"code\.npz: made for cats-512 .*f{{16}}.* not for toy-32 .*{toy.fingerprint}"
    ):
        start_from(tmp_path / "code.npz", toy)


def test_a_start_for_another_number_of_layers_is_refused(make_code: MakeCode, tmp_path: Path, toy: Generator) -> None:
    save_code(tmp_path / "code.npz", make_code(w_plus=torch.zeros(6, 8)))
    with pytest.raises(UserError, match=r"w_plus is \(6, 8\), toy-32 takes \(4, 8\)"):
        start_from(tmp_path / "code.npz", toy)


@pytest.mark.parametrize(("stopped_by", "seen"), [(OSError("disk full"), UserError), (KeyboardInterrupt(), None)])
def test_a_write_that_stops_midway_keeps_the_old_file(
    saved: Path,
    make_code: MakeCode,
    monkeypatch: pytest.MonkeyPatch,
    stopped_by: BaseException,
    seen: type[BaseException] | None,
) -> None:
    def stop(file: IO[bytes], **_: object) -> None:
        file.write(b"PK half")
        raise stopped_by

    old = saved.read_bytes()
    monkeypatch.setattr(np, "savez", stop)
    with pytest.raises(seen or type(stopped_by)):
        save_code(saved, make_code(steps=9))
    assert saved.read_bytes() == old
    assert [path.name for path in saved.parent.iterdir()] == ["code.npz"]

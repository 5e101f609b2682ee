import math
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow
import pytest
import torch

from latentloop.bulk.sink import write_records
from latentloop.cache import CodeCache, CodeSpace, space_of
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.images import read_image
from latentloop.latents.code_file import load_code, save_code
from latentloop.losses import pixel_loss
from latentloop.records import RecordFolder, RecordRun, arrow_schema

ToyPhotos = Callable[..., list[Path]]
Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process", "toy_shipped")
QUICK = ["--aligned", "--lambda-lpips", "0", "--device", "cpu", "--precision", "float32"]


def key(photo: Path) -> bytes:
    return bytes.fromhex(sha256_of(photo))


@pytest.fixture
def found(run: Run, toy_photos: ToyPhotos, tmp_path: Path) -> list[Path]:
    """Code files that embed made of three photos."""
    photos = toy_photos(3)
    assert run("embed", *photos, "--out", tmp_path / "found", "--steps", 3, *QUICK)[0] == 0
    return [tmp_path / "found" / f"{photo.stem}.npz" for photo in photos]


@pytest.fixture
def cache(found: list[Path], float_toy: Generator, tmp_path: Path) -> CodeCache:
    """A cache for codes of such losses; it knows a worse code of the first photo and a better one of the second."""
    settings = load_code(found[0]).details["settings"]
    names = ("lambda_mse", "lambda_lpips", "lpips_net", "weights_sha256", "precision", "resolution")
    space = CodeSpace(float_toy.fingerprint, 4, 8, {name: settings[name] for name in names})
    cache = CodeCache(tmp_path / "codes.cache", space, dtype="float32")
    photos = [tmp_path / "photos" / f"photo-{i}.png" for i in (0, 1)]
    cache.update([key(photo) for photo in photos], torch.zeros(2, 4, 8), torch.tensor([9.0, 0.0]), step=5)
    return cache


def test_codes_come_back_from_a_cache(
    run: Run, found: list[Path], cache: CodeCache, float_toy: Generator, tmp_path: Path
) -> None:
    code, lines, errors = run("cache", "import", cache.path, *found)
    assert (code, lines, errors) == (0, ["kept 2 of 3 codes: those with a lower loss"], [])
    photos, out = tmp_path / "photos", tmp_path / "exported"
    code, lines, errors = run("cache", "export", cache.path, photos, "--out", out)
    assert (code, errors) == (0, [])
    assert lines == [f"3 of 3 photos have a code; written to {out}"]
    for i, path in enumerate(found):
        again, first = load_code(out / path.name), load_code(path)
        expected = torch.zeros(4, 8) if i == 1 else first.w_plus
        assert torch.equal(again.w_plus, expected)
        assert again.losses.tolist() == ([0.0] if i == 1 else [first.losses.min()])
        assert torch.equal(again.quad, first.quad)
        assert again.details["photo"] == first.details["photo"]
    assert run("embed", photos, "--start", out, "--out", tmp_path / "on", "--steps", 1, *QUICK)[0] == 0
    start = load_code(tmp_path / "on" / "photo-1.npz")
    target = read_image(photos / "photo-1.png")
    torch.testing.assert_close(start.losses[:1], pixel_loss(float_toy.synthesis(torch.zeros(1, 4, 8)), target))
    assert run("cache", "import", cache.path, out)[1] == ["kept 0 of 3 codes: those with a lower loss"]
    (out / "photo-1.npz").unlink()  # as if it had been stopped
    assert run("cache", "export", cache.path, photos, "--out", out)[0] == 0
    assert (out / "photo-1.npz").exists()


def test_codes_of_photos_in_tar_files_are_exported_too(run: Run, cache: CodeCache, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        archive.add(tmp_path / "photos" / "photo-1.png", "deep/inside.png")
    assert run("cache", "export", cache.path, tmp_path / "shard.tar", "--out", tmp_path / "out")[0] == 0
    assert load_code(tmp_path / "out" / "inside.npz").losses.tolist() == [0.0]


def test_a_code_of_no_steps_has_no_loss_to_compare(
    run: Run, toy_photos: ToyPhotos, cache: CodeCache, tmp_path: Path
) -> None:
    assert run("embed", toy_photos(3)[2], *QUICK, "--steps", 0, "--out", tmp_path / "once")[0] == 0
    path = tmp_path / "once" / "photo-2.npz"
    code, _, errors = run("cache", "import", cache.path, path)
    problem = "its loss is unknown, since no step was taken; embed the photo with 1 step or more"
    assert (code, errors) == (2, [f"latentloop: {path}: {problem}"])


def test_show_tells_what_is_in_a_cache(run: Run, cache: CodeCache) -> None:
    code, lines, errors = run("cache", "show", cache.path)
    assert (code, errors) == (0, [])
    assert lines[:2] == ["2 photos, codes (4, 8) in float32", "loss: best 0.0000, median 0.0000, worst 9.0000"]
    assert "lambda_mse 1.0" in lines[2]
    assert space_of(cache.path) == cache.space


def test_a_code_whose_loss_is_another_one_is_refused(
    run: Run, toy_photos: ToyPhotos, cache: CodeCache, tmp_path: Path
) -> None:
    other = ["--lambda-mse", 2, "--steps", 1, "--out", tmp_path / "other"]
    assert run("embed", toy_photos(3)[2], *QUICK, *other)[0] == 0
    path = tmp_path / "other" / "photo-2.npz"
    code, _, errors = run("cache", "import", cache.path, path)
    assert (code, errors) == (
        2,
        [f"latentloop: {path}: its loss was measured with lambda_mse 2.0, the cache's with 1.0"],
    )
    assert run("cache", "import", cache.path, tmp_path / "found", path)[0] == 2
    assert len(cache) == 2


@pytest.mark.parametrize(
    ("changes", "details", "problem"),
    [
        ({"losses": torch.tensor([math.nan, math.nan])}, {}, "its loss is not finite"),
        ({"steps": 7}, {}, "index 7 is out of bounds"),
        ({}, {"photo": 3}, "'int' object is not subscriptable"),
        ({}, {"photo": {"sha256": "ab"}}, "sha256 is not a SHA-256"),
        ({}, {"photo": {"sha256": 5}}, ""),
    ],
)
def test_a_code_with_odd_details_is_refused_and_changes_nothing(
    run: Run,
    toy_photos: ToyPhotos,
    cache: CodeCache,
    tmp_path: Path,
    changes: dict[str, Any],
    details: dict[str, object],
    problem: str,
) -> None:
    assert run("embed", toy_photos(3)[2], *QUICK, "--steps", 1, "--out", tmp_path / "one")[0] == 0
    path = tmp_path / "one" / "photo-2.npz"
    code = load_code(path)
    save_code(path, replace(code, details={**code.details, **details}, **changes))
    status, _, errors = run("cache", "import", cache.path, path)
    assert (status, len(errors)) == (2, 1)
    assert errors[0].startswith(f"latentloop: {path}: not a code file of embed or cache export: {problem}")
    assert len(cache) == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["show", "{here}/none"], "{here}/none: no such file or folder"),
        (["show", "{here}/text"], "{here}/text: not a cache of codes, or damaged"),
        (["export", "{cache}"], "name files for export and import, none for show"),
        (
            ["export", "{cache}", "{here}/photos", "--out", "{here}/wrong"],
            "{here}/wrong/photo-0.npz: has the code of another photo",
        ),
        (
            ["export", "{cache}", "{here}/photos", "--out", "{here}/odd"],
            "{here}/odd/photo-0.npz: has the code of another photo",
        ),
        (["export", "{cache}", "{here}/none.png"], "{here}/none.png: no such file"),
        (["export", "{cache}", "{here}/blank.png"], "none of 1 photos has a code in {here}/codes.cache"),
        (["import", "{cache}", "{here}/photos"], "{here}/photos: no code files"),
        (["import", "{cache}", "{here}/text"], "{here}/text: not a code file"),
    ],
)
def test_bad_input_is_told_in_one_line(
    run: Run, cache: CodeCache, tmp_path: Path, arguments: list[str], problem: str
) -> None:
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "photo-0.npz").write_bytes((tmp_path / "found" / "photo-1.npz").read_bytes())
    odd = replace(load_code(tmp_path / "found" / "photo-0.npz"), details={"photo": 3})
    save_code(tmp_path / "odd" / "photo-0.npz", odd)
    (tmp_path / "blank.png").write_bytes((tmp_path / "photos" / "photo-2.png").read_bytes())
    (tmp_path / "text").write_text("no cache, though long enough to be taken for one at a first glance" * 99)
    code, _, errors = run("cache", *(argument.format(here=tmp_path, cache=cache.path) for argument in arguments))
    assert (code, len(errors)) == (2, 1)
    assert errors[0].startswith(f"latentloop: {problem.format(here=tmp_path)}")


def test_the_codes_of_records_are_imported_as_those_of_files(
    run: Run, found: list[Path], cache: CodeCache, float_toy: Generator, tmp_path: Path
) -> None:
    codes = [load_code(path) for path in found]
    rows = [
        {
            "path": f"/{i}.png",
            "key": code.photo_sha256,
            "face": 1,
            "faces": 1,
            "status": "ok",
            "width": 32,
            "height": 32,
            "quad": code.quad.flatten().numpy(),
            "steps": code.steps,
            "code": code.w_plus.flatten().half().numpy(),
            "loss": float(code.losses[code.steps]),
        }
        for i, code in enumerate(codes)
    ]
    sizes = {"num_ws": 4, "w_dim": 8, "identity_dim": 1}
    settings = codes[0].details["settings"]
    records = RecordRun("toy-32", float_toy.fingerprint, "", "0.1.0", **sizes, settings=settings)
    folder = RecordFolder(tmp_path / "records")
    folder.begin(records)
    write_records(pyarrow.Table.from_pylist(rows, schema=arrow_schema(records)), folder.path, "a", records)
    code, lines, errors = run("cache", "import", cache.path, folder.path)
    assert (code, lines, errors) == (0, ["kept 2 of 3 codes: those with a lower loss"], [])
    kept = cache.lookup([bytes.fromhex(str(code.photo_sha256)) for code in codes])
    for i in (0, 2):
        one = kept[i]
        assert one is not None
        assert one.loss == pytest.approx(rows[i]["loss"])
        torch.testing.assert_close(one.w_plus, codes[i].w_plus.half().float(), rtol=0, atol=0)
    folder.begin(replace(records, settings={**settings, "lambda_mse": 7}))
    code, _, errors = run("cache", "import", cache.path, folder.path)
    assert code == 2
    assert "/0.png: its loss was measured with lambda_mse 7" in errors[0]

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from latentloop.generators import Generator
from latentloop.images import read_image
from latentloop.latents.code_file import load_code
from latentloop.losses import pixel_loss

ToyPhotos = Callable[..., list[Path]]
Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process", "toy_shipped")
QUICK = ["--aligned", "--lambda-lpips", "0", "--device", "cpu", "--precision", "float32", "--steps", "2"]
CODES = 0.3 * torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(9))


def check(out: Path, photos: list[Path], generator: Generator, starts: torch.Tensor) -> None:
    """The iterator began each photo at this code."""
    for photo, start in zip(photos, starts, strict=True):
        loss = pixel_loss(generator.synthesis(start[None]), read_image(photo))
        torch.testing.assert_close(load_code(out / f"{photo.stem}.npz").losses[:1], loss, rtol=1e-4, atol=0)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_one_code_serves_all_photos(
    run: Run, toy_photos: ToyPhotos, float_toy: Generator, tmp_path: Path, out: Path
) -> None:
    photos = toy_photos(3)
    np.savez(tmp_path / "projected_w.npz", w=CODES[:1].numpy())
    code, _, errors = run("embed", *photos, "--start", tmp_path / "projected_w.npz", "--out", out, *QUICK)
    assert (code, errors) == (0, [])
    check(out, photos, float_toy, CODES[:1].expand(3, -1, -1))


@pytest.mark.parametrize("batch", [1, 2])
def test_codes_serve_photos_in_their_order(
    run: Run, toy_photos: ToyPhotos, float_toy: Generator, tmp_path: Path, out: Path, batch: int
) -> None:
    photos, path = toy_photos(3), tmp_path / "latents.pt"
    torch.save(CODES, path)
    command = ["embed", *photos, "--start", path, "--out", out, "--batch", batch, *QUICK]
    assert run(*command)[0] == 0
    check(out, photos, float_toy, CODES)
    assert all(line.endswith("finished earlier") for line in run(*command)[1][:3])
    run("embed", *reversed(photos), *command[4:])
    check(out, photos, float_toy, CODES.flip(0))


def test_another_number_of_codes_is_refused(run: Run, toy_photos: ToyPhotos, tmp_path: Path, out: Path) -> None:
    photos, path = toy_photos(2), tmp_path / "latents.pt"
    torch.save(CODES, path)
    code, _, errors = run("embed", *photos, "--start", path, "--out", out, *QUICK)
    assert (code, errors) == (2, [f"latentloop: {path}: has 3 codes for 2 photos"])
    assert not out.exists()


def test_named_codes_serve_the_photos_of_their_names(
    run: Run, toy_photos: ToyPhotos, float_toy: Generator, tmp_path: Path, out: Path
) -> None:
    photos, path = toy_photos(3), tmp_path / "latents.npy"
    content: Any = {f"photo-{i}.jpg": [CODES[0].numpy(), CODES[i].numpy()] for i in (2, 1)}
    np.save(path, content, allow_pickle=True)
    code, _, errors = run("embed", *photos, "--start", path, "--out", out, *QUICK)
    assert (code, errors) == (2, [f"latentloop: {photos[0]}: {path}: has codes of photo-2, photo-1; none of photo-0"])
    check(out, photos[1:], float_toy, CODES[1:])


def test_photos_of_one_name_keep_their_codes(
    run: Run, toy_photos: ToyPhotos, float_toy: Generator, tmp_path: Path, out: Path
) -> None:
    photos = [toy_photos(1, folder)[0] for folder in ("a", "b", "c")]
    photos[2] = photos[2].rename(photos[2].with_stem("photo-0-2"))  # what the second one's result is called
    torch.save({"photo-0": CODES[0], "photo-0-2": CODES[2]}, tmp_path / "latents.pt")
    photos[1].write_bytes(toy_photos(2, "d")[1].read_bytes())
    code, _, errors = run("embed", *photos, "--start", tmp_path / "latents.pt", "--out", out, *QUICK)
    assert (code, errors) == (0, [])
    for name, photo, start in zip(("photo-0", "photo-0-2", "photo-0-2-2"), photos, CODES[[0, 0, 2]], strict=True):
        loss = pixel_loss(float_toy.synthesis(start[None]), read_image(photo))
        torch.testing.assert_close(load_code(out / f"{name}.npz").losses[:1], loss, rtol=1e-4, atol=0)


def test_codes_of_the_photos_own_get_smaller_steps_unless_their_size_is_given(
    run: Run, toy_photos: ToyPhotos, tmp_path: Path, out: Path
) -> None:
    photos = toy_photos(2)

    def lr(start: object, count: int = 1, given: Sequence[object] = ()) -> float:
        if not isinstance(start, Path):
            torch.save(start, tmp_path / "file.pt")
        path = start if isinstance(start, Path) else tmp_path / "file.pt"
        assert run("embed", *photos[:count], "--start", path, *given, "--out", out, *QUICK)[0] == 0
        return float(load_code(out / "photo-0.npz").details["settings"]["lr"])

    assert lr(CODES[:1], 2) == 0.08
    folder = out.rename(out.with_name("earlier"))
    assert lr(CODES[:1]) == lr({"photo-0": CODES[0]}) == lr(CODES[:2], 2) == lr(folder) == 0.02
    assert lr(folder, given=["--lr", 0.25]) == lr(CODES[:1], 2, ["--lr", 0.25]) == 0.25


def test_a_code_more_in_the_file_does_not_undo_the_others(
    run: Run, toy_photos: ToyPhotos, tmp_path: Path, out: Path
) -> None:
    photos, path = toy_photos(2), tmp_path / "latents.pt"
    command = ["embed", photos[0], "--start", path, "--out", out, *QUICK]
    torch.save({"photo-0": CODES[0]}, path)
    run(*command)
    torch.save({"photo-0": CODES[0], "photo-1": CODES[1]}, path)
    assert run(*command)[1][0].endswith("finished earlier")
    torch.save({"photo-0": CODES[2]}, path)
    assert not run(*command)[1][0].endswith("finished earlier")

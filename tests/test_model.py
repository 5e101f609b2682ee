"""The front door, with the bundled 256-pixel generator and a real photo."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import latentloop as ll
from latentloop.images import read_image
from latentloop.latents import mean_code
from latentloop.pictures.inputs import PictureLike

PHOTO = Path(__file__).parents[1] / "examples" / "photos" / "female-1.jpg"


@pytest.fixture(scope="module")
def model() -> ll.Model:
    return ll.load("mobile-ffhq-256", device="cpu", precision="float32")


@pytest.fixture(scope="module")
def found(model: ll.Model) -> ll.InvertedPhoto:
    return model.invert(PHOTO, steps=1)


def test_a_photo_is_inverted(model: ll.Model, found: ll.InvertedPhoto) -> None:
    assert (found.image.mode, found.image.size, found.origin.size) == ("RGB", (1024, 1024), (1024, 1024))
    assert found.image.tensor.shape == (1, 3, 1024, 1024)
    torch.testing.assert_close(model.draw(found.w_plus).tensor, found.image.tensor)
    full_size = {"pattern", "pattern_photo"}  # no LPIPS: the photo was enlarged to 1024 pixels
    assert found.metrics.keys() == {"mse", "psnr", "ssim", "lpips_alex", "id"} | full_size
    assert found.one_pass is not None
    assert found.metrics["lpips_alex"] < 0.2
    assert len(found.code.losses) == 2
    assert repr(found).startswith("InvertedPhoto('female-1', mse=0.0")


def test_the_code_is_saved_with_its_photo(found: ll.InvertedPhoto, tmp_path: Path) -> None:
    found.save(tmp_path / "code.npz")
    code = ll.load_code(tmp_path / "code.npz")
    assert torch.equal(code.w_plus, found.w_plus)
    assert code.details["photo"]["file"] == "female-1.jpg"
    assert code.details["settings"]["lr"] == 0.085


def test_a_photo_comes_in_many_forms(model: ll.Model) -> None:
    image = read_image(PHOTO)
    with Image.open(PHOTO) as picture:
        pixels = np.array(picture.convert("RGB"))
    forms: list[PictureLike] = [
        str(PHOTO),
        Image.fromarray(pixels),
        pixels,
        image,
        image[0],
        torch.from_numpy(pixels).permute(2, 0, 1),
    ]
    codes = [model.invert(form, steps=0).w_plus for form in forms]
    for code in codes[1:]:
        torch.testing.assert_close(code, codes[0], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (np.zeros((8, 8), dtype=np.uint8), r"an array must be \(H, W, 3\) of uint8, got \(8, 8\) of uint8"),
        (np.zeros((8, 8, 3)), "of float64"),
        (torch.zeros(8, 8, 3), r"a tensor must be \(3, H, W\) or \(1, 3, H, W\), got \(8, 8, 3\)"),
        (torch.full((3, 8, 8), 255.0), r"a tensor must have floats in \[-1, 1\], or uint8"),
        (torch.full((3, 8, 8), float("nan")), "floats in"),
        (torch.zeros(3, 0, 0), r"a tensor must have pixels, got \(3, 0, 0\)"),
    ],
)
def test_what_is_no_picture_is_refused(model: ll.Model, photo: PictureLike, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model.invert(photo)


def test_an_edit_goes_back_into_the_photo(model: ll.Model, found: ll.InvertedPhoto, tmp_path: Path) -> None:
    older = model.edit(found, smile=1.5, age=-1, keep=["glasses"])
    assert older.photo.size == found.origin.size
    change = (older.photo.tensor - found.origin.tensor).abs().amax(dim=1)[0]
    assert change.max() > 0.3
    assert change[900:].max() == 0  # below the face
    assert dict(older.strengths) == {"smile": 1.5, "age": -1}
    assert repr(older) == "EditedPhoto('female-1', smile=1.5, age=-1, photo=1024x1024)"
    older.save(tmp_path / "older.npz")
    assert ll.load_code(tmp_path / "older.npz").details["edit"]["keep"] == ["glasses"]
    again = model.edit(older, {"age": 1.0})
    back = model.edit(found, smile=1.5, keep=["glasses"])
    assert (again.w_plus - back.w_plus).norm() < (older.w_plus - back.w_plus).norm()


def test_an_edit_of_nothing_gives_the_photo_back(model: ll.Model, found: ll.InvertedPhoto) -> None:
    assert torch.equal(model.edit(found, smile=0).photo.tensor, found.origin.tensor)


def test_random_faces_and_code_files_are_edited_too(model: ll.Model, found: ll.InvertedPhoto, tmp_path: Path) -> None:
    found.save(tmp_path / "code.npz")
    for source in ("seed:7", tmp_path / "code.npz"):
        assert model.edit(source, smile=1).photo.size == (1024, 1024)
    plain = model.edit("seed:7", smile=0).face.tensor
    torch.testing.assert_close(plain, model.sample(7).tensor.clamp(-1, 1))


def test_a_folder_is_inverted_and_failures_are_told(model: ll.Model, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "a.jpg").write_bytes(PHOTO.read_bytes())
    (tmp_path / "holiday" / "b.jpg").write_text("no picture")
    with pytest.warns(UserWarning, match=r"b.jpg: not an image"):
        (result,) = model.invert_files(tmp_path / "holiday", out=tmp_path / "out", steps=0)
    assert (result.name, result.skipped) == ("a", False)
    assert result.metrics["lpips_alex"] < 0.3
    failures: list[ll.Failed] = []
    (again,) = model.invert_files(tmp_path / "holiday", out=tmp_path / "out", steps=0, on_failure=failures.append)
    assert again.skipped
    assert [failure.photo.name for failure in failures] == ["b.jpg"]


def test_options_have_the_names_of_the_command_line(model: ll.Model) -> None:
    with pytest.raises(TypeError, match="no option 'step'; did you mean 'steps'"):
        model.invert(PHOTO, step=3)
    with pytest.raises(TypeError, match=r"device is decided by latentloop\.load"):
        model.invert(PHOTO, device="cpu")
    with pytest.raises(ValueError, match="steps must be 0 or more"):
        model.invert(PHOTO, steps=-1)
    with pytest.raises(ValueError, match="for all faces of a photo use invert_files"):
        model.invert(PHOTO, face="all")
    with pytest.raises(ll.UserError, match="the photo has 1 face"):
        model.invert(PHOTO, face=2, steps=0)


def test_what_cannot_be_loaded_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(ll.UserError, match="neither a file nor one of"):
        ll.load("nothere.pkl")
    with pytest.raises(ll.UserError, match="no such weights file"):
        ll.load(embedder=tmp_path / "none.safetensors")
    with pytest.raises(ll.UserError, match="device tpu is not available"):
        ll.load(device="tpu")


def test_what_ships_is_listed(model: ll.Model) -> None:
    assert {"mobile-ffhq-256", "mobile-ffhq-1024", "mobile-ffhq-1024-v1"} == {one.name for one in ll.list_generators()}
    assert {"smile", "age", "glasses"} <= {one.name for one in ll.list_directions()}
    assert ll.__version__.count(".") == 2
    assert repr(model).startswith("Model('mobile-ffhq-256', resolution=256, embedder='base-ffhq', device='cpu'")


def test_pictures_are_copied_and_pickled_with_their_tensors_and_take_gradients(found: ll.InvertedPhoto) -> None:
    again, copied = pickle.loads(pickle.dumps(found)), copy.deepcopy(found)  # noqa: S301 - our own
    for other in (again, copied):
        assert torch.equal(other.image.tensor, found.image.tensor)
        assert other.image.tobytes() == found.image.tobytes()
    weight = torch.ones(1, requires_grad=True)
    (found.image.tensor * weight).sum().backward()
    assert weight.grad is not None


def test_an_edit_says_what_is_wrong_with_its_directions(model: ll.Model, found: ll.InvertedPhoto) -> None:
    with pytest.raises(TypeError, match=r"steps is an option of invert: model\.edit\(model\.invert\(photo, steps="):
        model.edit(found, smile=1, steps=3)
    with pytest.raises(TypeError, match="name at least one direction"):
        model.edit(found)
    with pytest.raises(ValueError, match="strength of smile must be a finite number"):
        model.edit(found, smile=float("nan"))
    with pytest.raises(ll.UserError, match="smiel"):
        model.edit("no-such-photo.jpg", smiel=1)
    assert dict(model.edit(found, {"smile": 1}, smile=0.5).strengths) == {"smile": 1.5}


def test_an_explicit_mean_latent_is_where_the_iterator_starts(model: ll.Model) -> None:
    mean = model.invert(PHOTO, start="average", steps=0)
    assert torch.equal(mean.w_plus, mean_code(model.components.generator)[0])
    assert mean.code.details["settings"]["method"] == "optimize"

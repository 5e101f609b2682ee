from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from conftest import PHOTOS
from latentloop import editing, faces, images, latents
from latentloop.encoders import load_embedder
from latentloop.encoders.second_look import Look
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.latents.plain_code import load_plain_code
from latentloop.pixels import Pixels, read_pixels
from latentloop.runtime import Networks, Runtime, load, load_bundle
from tiny_bundle import NUM_WS, SIZE, W_DIM, Bundle, Tiny

STRENGTHS = {"smile": 1.0, "age": -0.5}


@pytest.fixture(scope="module")
def photo() -> Pixels:
    """A photo whose face is cut off by its edge, at half its size."""
    return np.ascontiguousarray(read_pixels(PHOTOS / "male-81.jpg")[::2, ::2])


@pytest.fixture
def square() -> Pixels:
    """An aligned photo of the tiny networks' size."""
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


@torch.inference_mode()
def edited_by_pytorch(photo: Pixels, generator: Generator, *, looks: int) -> tuple[Any, Any]:
    """Codes and the picture of an edit in one pass, by the parts of the package that take tensors."""
    image, embedder = images.from_uint8(photo), load_embedder("base-ffhq", generator)
    (face,) = faces.align_faces(image, faces.load_face_detector(), generator.resolution)
    w_plus = embedder(face.image)
    if looks == 2:
        w_plus = embedder(face.image, Look(w_plus, generator.synthesis(w_plus)))
    kept = [editing.find_direction("glasses", generator)]
    edits = [
        (editing.conditional(editing.find_direction(name, generator), kept), value) for name, value in STRENGTHS.items()
    ]
    edited = editing.edit(w_plus, edits)
    before, after = (generator.synthesis(one).clamp(-1, 1) for one in (w_plus, edited))
    where = faces.changed(before, after)
    pasted = faces.paste_back(image, after, face.quad, cut_out=face.image, where=where)
    return edited.numpy(), images.to_uint8(pasted[0])


@pytest.mark.parametrize("looks", [1, 2])
def test_a_photo_is_edited_as_pytorch_does(photo: Pixels, networks: Networks, generator: Generator, looks: int) -> None:
    codes, expected = edited_by_pytorch(photo, generator, looks=looks)
    runtime = Runtime(networks)
    found = runtime.edit(runtime.invert(photo, looks=looks), STRENGTHS, keep=["glasses"])
    np.testing.assert_allclose(found.codes, codes, rtol=0, atol=2e-4)
    levels = np.abs(found.pixels.astype(int) - expected.astype(int))
    assert (found.pixels != photo).any()
    assert levels.max() <= 1
    assert levels.mean() <= 0.01


def test_every_face_of_a_photo_is_edited(networks: Networks) -> None:
    photo = np.ascontiguousarray(read_pixels(PHOTOS / "female-76.jpg")[::2, ::2])
    runtime = Runtime(networks)
    found = runtime.invert_all(photo)
    assert len(found) == 2
    edited = runtime.edit(found, smile=1)
    assert (len(edited.drawn), edited.codes.shape[0]) == (2, 2)
    changed = (edited.pixels != photo).any(axis=-1)
    for one in found:
        x, y = one.quad.mean(axis=0).astype(int)
        half = int(np.linalg.norm(one.quad[3] - one.quad[0]) / 2)
        assert changed[max(y - half, 0) : y + half, max(x - half, 0) : x + half].any()
    with pytest.raises(UserError, match="no face 3: the photo has 2 faces"):
        runtime.invert(photo, face=3)


def test_photos_may_be_files_images_or_arrays(tiny_bundle: Bundle, square: Pixels, tmp_path: Path) -> None:
    runtime, path = load(tiny_bundle()), tmp_path / "anna.png"
    Image.fromarray(square).save(path)
    found = [runtime.invert(one, aligned=True) for one in (path, str(path), Image.fromarray(square), square)]
    assert [one.name for one in found] == ["anna", "anna", "photo", "photo"]
    for one in found:
        assert np.array_equal(one.w_plus, found[0].w_plus)


def test_faces_that_do_not_belong_together_are_refused(tiny_bundle: Bundle, square: Pixels) -> None:
    runtime = load(tiny_bundle())
    first, second = (runtime.invert(one, aligned=True) for one in (square, square.copy()))
    with pytest.raises(ValueError, match="faces must be from one photo"):
        runtime.edit([first, second], smile=1)
    with pytest.raises(ValueError, match="one or more faces"):
        runtime.edit([], smile=1)
    with pytest.raises(ValueError, match="belongs to another generator than tiny"):
        runtime.edit(replace(first, fingerprint="other"), smile=1)


def test_an_aligned_photo_is_edited_alone(tiny_bundle: Bundle, tiny: Tiny, square: Pixels) -> None:
    runtime = load(tiny_bundle(), threads=1)
    found = runtime.invert(square, aligned=True)
    image = images.from_uint8(square).numpy()
    np.testing.assert_allclose(found.w_plus, tiny.embed(image)[0], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.image, tiny.draw(found.w_plus[None]), rtol=0, atol=1e-5)
    assert np.array_equal(runtime.draw(found.w_plus[None]), found.image)


def test_a_code_is_kept_as_the_package_reads_it(
    tiny_bundle: Bundle, tmp_path: Path, picture: Callable[..., Path]
) -> None:
    runtime, photo = load(tiny_bundle()), picture(width=SIZE, height=SIZE)
    found = runtime.invert(photo, aligned=True)
    found.save(tmp_path / "code.npz")
    code = latents.load_code(tmp_path / "code.npz")
    assert np.array_equal(code.w_plus.numpy(), found.w_plus)
    assert np.array_equal(code.quad.numpy(), found.quad)
    assert code.original_size == (SIZE, SIZE)
    assert code.details["photo"]["file"] == photo.name
    again = runtime.open_code(load_plain_code(tmp_path / "code.npz"), "again")
    assert np.array_equal(again.image, found.image)
    assert again.photo is None


def test_the_code_of_another_generator_is_refused(
    tiny_bundle: Bundle, make_code: Callable[..., latents.Code], tmp_path: Path
) -> None:
    latents.save_code(tmp_path / "code.npz", make_code(fingerprint="ffff"))
    with pytest.raises(UserError, match=r"other: made for .* \(latent space ffff\), not for tiny"):
        load(tiny_bundle()).open_code(load_plain_code(tmp_path / "code.npz"), "other")


def test_random_faces_depend_on_the_seed_alone(tiny_bundle: Bundle, tiny: Tiny) -> None:
    runtime = load(tiny_bundle())
    one, same, other = (runtime.sample(seed) for seed in (1, 1, 2))
    assert np.array_equal(one.w_plus, same.w_plus)
    assert not np.array_equal(one.w_plus, other.w_plus)
    z = np.random.default_rng(1).standard_normal((1, W_DIM), np.float32)
    np.testing.assert_allclose(one.w_plus, 0.7 * (z @ tiny.mapping).reshape(NUM_WS, W_DIM), rtol=0, atol=1e-5)


def test_what_a_bundle_lacks_is_said(tiny_bundle: Bundle, square: Pixels) -> None:
    runtime = load(tiny_bundle(parts=["generator", "embedder", "proposal"]))
    with pytest.raises(UserError, match=r"no mapping network \(mapping\.onnx\)"):
        runtime.sample(1)
    with pytest.raises(UserError, match="not trained for a second look"):
        runtime.invert(square, aligned=True, looks=2)
    with pytest.raises(UserError, match="no face found"):
        runtime.invert(np.zeros((64, 64, 3), np.uint8))


def test_wrong_arguments_are_refused(tiny_bundle: Bundle, square: Pixels) -> None:
    folder = tiny_bundle()
    runtime = load(folder)
    with pytest.raises(ValueError, match="threads must be 1 or more, got 0"):
        load(folder, threads=0)
    with pytest.raises(ValueError, match="looks must be 1 or 2, got 3"):
        runtime.invert(square, aligned=True, looks=3)
    with pytest.raises(ValueError, match="for all faces of a photo use invert_all"):
        runtime.invert(square, face="all")
    with pytest.raises(ValueError, match=r"photo must be \(H, W, 3\) of uint8, got \(8, 8\) of float64"):
        runtime.invert(np.zeros((8, 8)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"w_plus must be \(N, 4, 8\), got \(4, 8\)"):
        runtime.draw(np.zeros((NUM_WS, W_DIM), np.float32))
    with pytest.raises(UserError, match="an aligned photo is square, this one is 4 x 8"):
        runtime.invert(square[:, :4], aligned=True)
    found = runtime.invert(square, aligned=True)
    with pytest.raises(TypeError, match="name at least one direction, such as smile=1"):
        runtime.edit(found)
    with pytest.raises(UserError, match="smile: neither a file nor a bundled direction of tiny"):
        runtime.edit(found, smile=1)


def test_strengths_of_both_kinds_add_up_and_are_finite(networks: Networks, square: Pixels) -> None:
    runtime = Runtime(networks)
    found = runtime.invert(square, aligned=True)
    both, once = runtime.edit(found, {"smile": 1, "age": 1}, smile=0.5), runtime.edit(found, smile=1.5, age=1)
    assert np.array_equal(both.codes, once.codes)
    for strength in (np.nan, "much"):
        with pytest.raises(ValueError, match="strength of smile must be a finite number, got"):
            runtime.edit(found, {"age": 1, "smile": strength})  # type: ignore[dict-item]


def test_threads_are_handed_to_onnx_runtime(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def session(_path: str, options: onnxruntime.SessionOptions, **_: object) -> None:
        seen.append(options.intra_op_num_threads)
        raise ValueError

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    for threads in (None, 3):
        with pytest.raises(UserError):
            load_bundle(tiny_bundle(f"bundle{threads}"), threads=threads).draw(np.zeros((1, NUM_WS, W_DIM), np.float32))
    assert seen == [0, 3]

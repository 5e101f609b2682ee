"""What the public functions cannot take, they refuse with a `ValueError` that says what they take."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import latentloop as ll
from conftest import ToyGenerator
from latentloop.editing import parse_layers
from latentloop.faces import already_aligned, load_face_detector
from latentloop.images import as_jpeg, from_uint8, resize, to_uint8
from latentloop.inversion import IteratorConfig
from latentloop.latents import broadcast
from latentloop.losses import LossConfig, pixel_loss, toward
from latentloop.options import with_changes
from latentloop.pictures.inputs import as_image

IMAGE = torch.zeros(1, 3, 32, 32)
TOY = ToyGenerator()
PHOTO = b"\x89PNG"
CODE = ll.Code(torch.ones(4, 8), "w+", "toy", "ab", torch.ones(4, 2).double(), (64, 48), torch.ones(3), 2, {})
ANYTHING: Any = 5


def sampled(**options: object) -> object:
    return ll.sample_codes(TOY, **{"count": 1, "randomness": torch.Generator(), **options})  # type: ignore[arg-type]


def aligned(**options: object) -> object:
    return ll.align_faces(**{"photo": IMAGE, "detector": load_face_detector(), "size": 32, **options})  # type: ignore[arg-type]


def options(**changes: object) -> object:
    return with_changes(ll.EmbedOptions(), changes)


def saved(**changes: object) -> None:
    ll.save_code("x.npz", replace(CODE, **changes))  # type: ignore[arg-type]


def refined(**changes: object) -> object:
    arguments: dict[str, object] = {"target": IMAGE, "start": torch.zeros(1, 4, 8), **changes}
    return ll.LatentIterator(TOY, toward(pixel_loss), IteratorConfig(steps=1)).refine(**arguments)  # type: ignore[arg-type]


CALLS: dict[str, list[Callable[[], object]]] = {
    "resolution must be a whole number of pixels, 1 or more, got": [
        lambda: ll.resample(IMAGE, 0),
        lambda: ll.resample(IMAGE, -1),
        lambda: ll.resample(IMAGE, 1.5),  # type: ignore[arg-type]
    ],
    "height must be a whole number of pixels": [lambda: resize(IMAGE, 0, 4)],
    r"images must be \(N, 3, S, S\) in floating-point": [
        lambda: ll.resample(IMAGE[0], 16),
        lambda: ll.resample(IMAGE.byte(), 16),
    ],
    "image must be a tensor of floating-point numbers": [
        lambda: ll.write_png("x.png", np.zeros((3, 4, 4))),  # type: ignore[arg-type]
        lambda: ll.write_png("x.png", IMAGE.byte()),
    ],
    r"pixels must be \(H, W, 3\) of uint8, got": [
        lambda: from_uint8(np.zeros((4, 4, 3))),  # type: ignore[arg-type]
        lambda: from_uint8(np.zeros((4, 4), np.uint8)),
    ],
    r"image must be \(3, H, W\) in floating-point": [lambda: to_uint8(IMAGE), lambda: to_uint8(IMAGE[0].byte())],
    "quality must be from 1 to 95": [lambda: as_jpeg(IMAGE, quality=0), lambda: as_jpeg(IMAGE, quality=96)],
    "max_pixels must be 1 or more, background RGB": [
        lambda: ll.images.decode_image(PHOTO, "", max_pixels=0),
        lambda: ll.images.decode_image(PHOTO, "", background=(1, 2)),
        lambda: ll.images.decode_image(PHOTO, "", background=(1, 2, 256)),
    ],
    "an image must have pixels, got 0 x 3": [lambda: as_image(Image.new("L", (0, 3)))],
    "count must be 0 or more, got": [lambda: sampled(count=-1), lambda: sampled(count=1.5)],
    "truncation_psi must be a finite number": [
        lambda: sampled(truncation_psi=math.nan),
        lambda: sampled(truncation_psi="1"),
    ],
    "truncation_cutoff must be a number of layers": [lambda: sampled(truncation_cutoff=-1)],
    r"w must be \(N, w_dim\) or": [lambda: broadcast(torch.zeros(8), 4), lambda: broadcast(torch.zeros(1, 8), 0)],
    "face must be largest, all or a number, got": [
        lambda: aligned(face="smallest"),
        lambda: aligned(face="-1"),
        lambda: aligned(face=1),
    ],
    "size must be a whole number of pixels": [lambda: aligned(size=0), lambda: already_aligned(IMAGE, 0)],
    r"image must be \(N, 3, H, W\) in floating-point numbers": [
        lambda: aligned(photo=IMAGE[0]),
        lambda: aligned(photo=IMAGE[:, :1]),
        lambda: aligned(photo=IMAGE.byte()),
        lambda: aligned(photo=IMAGE[..., :0]),
    ],
    "image must be a tensor": [lambda: aligned(photo=None)],
    "image must be a single image, got 2": [lambda: aligned(photo=IMAGE.repeat(2, 1, 1, 1))],
    "steps must be 0 or more, got": [lambda: IteratorConfig(steps=-1), lambda: IteratorConfig(steps=1.5)],  # type: ignore[arg-type]
    r"space must be one of w, w\+, got x": [
        lambda: IteratorConfig(space="x"),  # type: ignore[arg-type]
        lambda: options(space="x"),
    ],
    "lpips_net must be one of alex, squeeze, got x": [lambda: LossConfig(lpips_net="x")],  # type: ignore[arg-type]
    "method must be one of .*, got x": [lambda: options(method="x")],
    "metric must be one of auto, off, got x": [lambda: options(metric="x")],
    "compile must be one of auto, on, off, got x": [lambda: options(compile="x")],
    "render must be one of largest or an int, got x": [
        lambda: options(render="x"),
        lambda: ll.RenderOptions(render="x"),  # type: ignore[arg-type]
    ],
    "which must be one of g_ema, g, got x": [lambda: ll.load_generator(which="x")],  # type: ignore[arg-type]
    "precision must be one of auto, float32, bfloat16, got x": [lambda: ll.load(precision="x")],  # type: ignore[arg-type]
    "path must be a path, got 5": [
        lambda: ll.load_code(ANYTHING),
        lambda: ll.save_code(ANYTHING, CODE),
        lambda: ll.read_image(ANYTHING),
        lambda: ll.write_png(ANYTHING, IMAGE),
    ],
    "code must be a Code, got 5": [lambda: ll.save_code("x.npz", ANYTHING)],
    r"w_plus must be (a tensor of )?floating-point numbers \(N, N\), got": [
        lambda: saved(w_plus=[1.0]),
        lambda: saved(w_plus=torch.ones(8)),
        lambda: saved(w_plus=torch.ones(4, 8).long()),
    ],
    "w_plus must be finite": [lambda: saved(w_plus=torch.full((4, 8), math.nan))],
    r"quad must be floating-point numbers \(4, 2\)": [lambda: saved(quad=torch.ones(3, 2))],
    r"losses must be floating-point numbers \(N\)": [lambda: saved(losses=torch.ones(2, 2))],
    r"space must be w or w\+, got": [lambda: saved(space="x"), lambda: saved(space=ANYTHING)],
    "generator must be a text, got None": [lambda: saved(generator=None)],
    "original_size must be width and height in pixels": [
        lambda: saved(original_size=(0, 5)),
        lambda: saved(original_size=(1.5, "a")),
        lambda: saved(original_size=(1, 2, 3)),
        lambda: saved(original_size=ANYTHING),
    ],
    "steps must be 0 or more": [lambda: saved(steps=-1), lambda: saved(steps=1.5)],
    "details must be a dict of JSON values": [
        lambda: saved(details={"a": object()}),
        lambda: saved(details=[1]),
    ],
    "refinement must be a Refinement, got 5": [lambda: saved(refinement=ANYTHING)],
    "config must be a LossConfig, got 'x'": [lambda: ll.iterator_loss("x")],  # type: ignore[arg-type]
    "lpips must be an Lpips from load_lpips, got 5": [lambda: ll.iterator_loss(lpips=ANYTHING)],
    "dtype must be a type of PyTorch": [lambda: ll.iterator_loss(dtype=ANYTHING)],
    "device must be a text such as auto, cpu": [
        lambda: ll.iterator_loss(device=ANYTHING),
        lambda: ll.load_generator(device=ANYTHING),
        lambda: ll.load(device=ANYTHING),
    ],
    "target must be a tensor": [lambda: ll.iterator_loss()(ANYTHING), lambda: refined(target=ANYTHING)],
    "start must be a tensor": [lambda: refined(start=None)],
    "target and start must be floating-point": [
        lambda: refined(target=IMAGE.byte()),
        lambda: refined(start=torch.zeros(1, 4, 8).long()),
    ],
    "generator must be a generator, as load_generator returns it, got": [
        lambda: ll.list_directions(ANYTHING),
        lambda: ll.list_directions("mobile-ffhq-256"),  # type: ignore[arg-type]
        lambda: ll.mean_code(ANYTHING),
        lambda: ll.sample_codes(ANYTHING, 1, randomness=torch.Generator()),
        lambda: ll.LatentIterator(ANYTHING, ANYTHING).refine(IMAGE, torch.zeros(1, 4, 8)),
    ],
    "randomness must be a torch.Generator, got 5": [lambda: sampled(randomness=ANYTHING)],
    "detector must be a FaceDetector from load_face_detector, got 5": [lambda: aligned(detector=ANYTHING)],
    r"images must be a tensor \(N, 3, S, S\), got None": [lambda: ll.resample(None, 16)],  # type: ignore[arg-type]
    "lr must be above 0 and at most 100, got x": [lambda: IteratorConfig(lr="x")],  # type: ignore[arg-type]
    "generator must be a path, got 5": [lambda: ll.load(ANYTHING), lambda: ll.load_generator(ANYTHING)],
    "embedder must be a path, got 5": [lambda: ll.load(embedder=ANYTHING)],
    "options must be TrainOptions, got 5": [lambda: ll.train(options=ANYTHING)],
    "options must be DistillOptions, got 5": [lambda: ll.distill(options=ANYTHING)],
    "data must be a path or several, got 5": [lambda: ll.train(data=ANYTHING)],
    "out must be a path, got 5": [lambda: ll.train(out=ANYTHING)],
    "layers must be a text such as coarse or 0-3, got": [lambda: parse_layers([0, 1], 4)],  # type: ignore[arg-type]
}


@pytest.mark.parametrize("message", CALLS)
def test_wrong_ranges_types_and_names_are_refused_with_what_is_taken(message: str) -> None:
    for call in CALLS[message]:
        with pytest.raises(ValueError, match=message):
            call()


def test_a_device_that_is_none_is_a_users_error() -> None:
    with pytest.raises(ll.UserError, match="device gpu9 is not available"):
        ll.load_generator(device="gpu9")


@pytest.mark.usefixtures("toy_shipped")
def test_a_model_refuses_what_is_no_code_seed_or_strength() -> None:
    model = ll.load("mobile-ffhq-256", device="cpu")
    calls: dict[str, list[Callable[[], object]]] = {
        r"w_plus must be a tensor \(4, 8\)": [
            lambda: model.draw(torch.zeros(3, 3)),
            lambda: model.draw(None),  # type: ignore[arg-type]
        ],
        "w_plus must be finite": [lambda: model.draw(torch.full((4, 8), math.nan))],
        "seed must be from 0": [lambda: model.sample(-1), lambda: model.sample("a")],  # type: ignore[arg-type]
        "truncation_psi must be a finite number": [lambda: model.sample(truncation_psi=math.inf)],
        "strength of smile must be a finite number": [
            lambda: model.edit("seed:1", smile="1"),  # type: ignore[arg-type]
            lambda: model.edit("seed:1", smile=math.nan),
        ],
        "strengths must be a dict of directions and numbers": [
            lambda: model.edit("seed:1", ["smile"]),  # type: ignore[arg-type]
            lambda: model.edit("seed:1", {5: 1}),  # type: ignore[dict-item]
        ],
        "keep must be a list of directions, got": [
            lambda: model.edit("seed:1", smile=1, keep="age"),
            lambda: model.edit("seed:1", smile=1, keep=ANYTHING),
        ],
        "photos must be a path or several, got 5": [lambda: model.invert_files(ANYTHING)],
        "each of photos, and out, must be a path, got 5": [
            lambda: model.invert_files([ANYTHING]),
            lambda: model.invert_files("a.png", ANYTHING),
        ],
        "render must be RenderOptions": [lambda: model.edit("seed:1", smile=1, render=5)],  # type: ignore[arg-type]
    }
    for message, refused in calls.items():
        for call in refused:
            with pytest.raises(ValueError, match=message):
                call()

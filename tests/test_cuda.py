"""CUDA against the CPU: `pytest -m cuda` where there is a GPU; skipped elsewhere.

In float64 both round so little (1e-16 of a number, over some thousand additions) that 1e-9 tells an error from
rounding. In float32 a layer adds up to 5,000 products, so a feature is off by about 1e-6 of its size, and after twenty
layers by 1e-5 to 1e-4: images are held to 0.002, a quarter of a grey level.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from torch import nn

from conftest import ToyGenerator
from latentloop.devices import repeatable_arithmetic
from latentloop.encoders import load_embedder
from latentloop.features.lpips import load_lpips
from latentloop.generators import Generator, load_generator, low_precision
from latentloop.generators.stylegan2 import Shape
from latentloop.images import write_png
from latentloop.inversion import IteratorConfig, LatentIterator
from latentloop.latents import load_code, mean_code, sample_codes, save_code
from latentloop.latents.code_file import Code
from latentloop.losses import iterator_loss, pixel_loss, toward
from latentloop.options import with_changes
from latentloop.training import TrainOptions, set_up_training
from latentloop.training.augmentation import jitter, relight
from latentloop.training.degradation import degrade_together
from stylegan2_tensors import random_stylegan2

pytestmark = [pytest.mark.cuda, pytest.mark.usefixtures("exact")]
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
QUARTER_OF_A_GREY_LEVEL = 2 / 255 / 4
Module = TypeVar("Module", bound=nn.Module)


@pytest.fixture
def exact() -> Iterator[None]:
    """Full float32, as programs have it; the process is as before afterwards."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    repeatable_arithmetic()
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic = before


def on_cuda(module: Module) -> Module:
    return copy.deepcopy(module).to(CUDA)


def codes(generator: Generator, count: int = 2) -> torch.Tensor:
    return sample_codes(generator, count, randomness=torch.Generator().manual_seed(1), truncation_psi=0.7)


def test_a_stylegan2_draws_alike_in_float64() -> None:
    tiny = random_stylegan2(Shape(mapping=(8, 7, 6), channels=(5, 4, 3))).double()
    z = torch.randn(3, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    there = on_cuda(tiny)
    w, w_there = tiny.mapping(z), there.mapping(z.to(CUDA))
    torch.testing.assert_close(w_there.cpu(), w, rtol=1e-9, atol=1e-9)
    w_plus = w[:, None].expand(-1, tiny.num_ws, -1)
    for resolution in (None, 8):
        image = there.synthesis(w_plus.to(CUDA), resolution=resolution)
        assert image.device.type == CUDA.type
        torch.testing.assert_close(image.cpu(), tiny.synthesis(w_plus, resolution=resolution), rtol=1e-9, atol=1e-9)


def test_the_shipped_generator_draws_alike() -> None:
    generator, there = load_generator("mobile-ffhq-256"), load_generator("mobile-ffhq-256", device=CUDA)
    assert there.device.type == CUDA.type
    w_plus = codes(generator)
    with torch.inference_mode():
        image, same = generator.synthesis(w_plus), there.synthesis(w_plus.to(CUDA))
    torch.testing.assert_close(same.cpu(), image, rtol=0, atol=QUARTER_OF_A_GREY_LEVEL)


def test_the_shipped_generator_draws_nearly_alike_in_bfloat16() -> None:
    """bfloat16 keeps 8 bits: features are off by up to 0.4 %, images by a few grey levels on average."""
    generator = load_generator("mobile-ffhq-256")
    there = low_precision(load_generator("mobile-ffhq-256", device=CUDA), torch.bfloat16)
    w_plus = codes(generator)
    with torch.inference_mode():
        image, same = generator.synthesis(w_plus), there.synthesis(w_plus.to(CUDA))
    assert same.dtype == torch.float32
    assert (same.cpu() - image).abs().mean() < 4 * 2 / 255


@pytest.mark.parametrize("net", ["alex", "squeeze"])
def test_lpips_and_its_gradient_are_alike(net: str) -> None:
    """A mean over thousands of features: their rounding (1e-5) averages out; gradients are compared as a whole."""
    randomness, results = torch.Generator().manual_seed(3), []
    image, target = torch.rand(2, 2, 3, 64, 64, generator=randomness) * 2 - 1
    for device in (CPU, CUDA):
        variable = image.to(device).requires_grad_()
        distance = load_lpips(net, device=device)(variable, target.to(device))  # type: ignore[arg-type]
        (gradient,) = torch.autograd.grad(distance.sum(), variable)
        results.append((distance.detach().cpu(), gradient.cpu()))
    (distance, gradient), (same, same_gradient) = results
    torch.testing.assert_close(same, distance, rtol=1e-4, atol=0)
    assert (same_gradient - gradient).norm() < 1e-3 * gradient.norm()


@pytest.mark.parametrize("space", ["w", "w+"])
@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_the_iterator_takes_the_same_steps_in_float64(optimizer: str, space: str) -> None:
    """Adam divides by the size of a gradient and Muon by singular values, so rounding grows: 1e-7, not 1e-9."""
    toy = ToyGenerator().double().requires_grad_(False)
    there = on_cuda(toy)
    config = IteratorConfig(steps=2, optimizer=optimizer, space=space)  # type: ignore[arg-type]
    target = toy.synthesis(codes(toy).double())
    found = LatentIterator(toy, toward(pixel_loss), config).refine(target, mean_code(toy, 2))
    same = LatentIterator(there, toward(pixel_loss), config).refine(target.to(CUDA), mean_code(there, 2))
    for field in ("w_plus", "loss", "losses", "image"):
        torch.testing.assert_close(getattr(same, field).cpu(), getattr(found, field), rtol=1e-7, atol=1e-7)
    assert torch.equal(same.steps.cpu(), found.steps)


def test_two_steps_on_the_shipped_generator_lower_the_loss_alike() -> None:
    """Muon weighs directions of a tiny gradient like the others, with the rounding of float32: 1 % of the loss."""
    losses = []
    for device in (CPU, CUDA):
        generator = load_generator("mobile-ffhq-256", device=device)
        with torch.no_grad():
            target = generator.synthesis(codes(generator))
        iterator = LatentIterator(generator, iterator_loss(device=device), IteratorConfig(steps=2))
        losses.append(iterator.refine(target, mean_code(generator, 2)).losses.cpu())
    torch.testing.assert_close(losses[1], losses[0], rtol=0.01, atol=0)
    assert (losses[1][-1] < 0.95 * losses[1][0]).all()


def test_the_shipped_network_finds_the_same_codes() -> None:
    """Codes are the mean latent and a tenth of what the network gives, of which 1e-4 may be rounding."""
    found = []
    for device in (CPU, CUDA):
        generator = load_generator("mobile-ffhq-256", device=device)
        with torch.inference_mode():
            image = generator.synthesis(codes(generator))
            found.append(load_embedder("base-ffhq", generator)(image.to(device)).cpu())
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-3)


def test_a_code_is_saved_from_there(make_code: Callable[..., Code], tmp_path: Path) -> None:
    code = make_code()
    there = {name: getattr(code, name).to(CUDA) for name in ("w_plus", "quad", "losses")}
    save_code(tmp_path / "code.npz", replace(code, **there))
    loaded = load_code(tmp_path / "code.npz")
    assert all(torch.equal(getattr(loaded, name), getattr(code, name)) for name in there)


def test_photos_change_alike() -> None:
    """JPEG rounds, so that a coefficient at the border of two steps may fall to either: rarely."""
    randomness = torch.Generator().manual_seed(5)
    images, noise = torch.rand(4, 3, 64, 64, generator=randomness) * 2 - 1, torch.randn(4, 3, 64, 64)
    amounts, lights = torch.rand(2, 4, 6, generator=randomness)
    for change, numbers in ((jitter, (amounts[:, :4],)), (relight, (lights,)), (degrade_together, (amounts, noise))):
        changed = change(images, *numbers)
        same = change(images.to(CUDA), *(one.to(CUDA) for one in numbers)).cpu()
        assert ((same - changed).abs() > 1e-4).float().mean() < 0.02


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("changes", [{}, {"precision": "bfloat16", "lambda_second_look": 1.0}, {"compile": True}])
def test_training_is_looked_at_seldom_and_learns(tmp_path: Path, changes: dict[str, object]) -> None:
    """Without a synchronisation in its steps: CUDA would raise an error."""
    photos = tmp_path / "photos"
    generator = load_generator("mobile-ffhq-256")
    for i, w_plus in enumerate(codes(generator, 8)):
        write_png(photos / f"{i}.png", generator.synthesis(w_plus[None]))
    untaught = {"teacher_steps": 0, "cache": False, "image_target": "photo", "jitter": 1.0, "relight": 1.0}
    sizes = {"batch": 4, "steps": 40, "save_every": 20, "repeats": 4, "validation_images": 2, "warm_up": 2}
    named = {"generator": "mobile-ffhq-256", "data": str(photos), "out": tmp_path / "out", "device": "cuda"}
    on_device = {"photos_in": "device", "spoil_on_device": True, "mirror": True}
    job = set_up_training(with_changes(TrainOptions(), {**untaught, **sizes, **named, **on_device, **changes}))
    assert job.trainer.look_every == 20
    steps = job.trainer.run()
    told = [next(steps) for _ in range(20)]
    photos_read = job.trainer.read(job.trainer.step)
    try:
        torch.cuda.set_sync_debug_mode("error")
        job.trainer._take_step(photos_read)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(math.isfinite(one["loss"]) for one in told)
    assert told[-1]["loss"] < told[0]["loss"]

"""Fixtures: a toy generator that draws in microseconds, and small pictures."""

import importlib.util
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from latentloop.cli import main
from latentloop.defaults import GENERATOR, QUICK_GENERATOR
from latentloop.generators import Generator, GeneratorFile, build_generator, registry
from latentloop.images import write_png
from latentloop.latents.code_file import Code

# What a failed assertion there compares is shown as in a test file.
pytest.register_assert_rewrite("metric_tester")
pytest_plugins = [
    "foreign_files",
    "comparisons",
    "edits",
    "small_generators",
    "bulk_inputs",
    "tiny_bundle",
    "hub_stand_in",
    "web_bundle",
]

# Small tensors gain nothing from threads, which wait long for each other where the cores are busy.
torch.set_num_threads(1)
TOY = GeneratorFile("toy", {})
PHOTOS = Path(__file__).parents[1] / "examples" / "photos"


class ToyGenerator(nn.Module):
    """Draws 32-pixel images as a smooth nonlinear function of four styles of eight numbers."""

    name = "toy-32"
    fingerprint = "0123456789abcdef"
    resolution, num_ws, z_dim, c_dim, w_dim = 32, 4, 8, 0, 8
    latent_avg: Tensor
    basis: Tensor

    def __init__(self) -> None:
        super().__init__()
        randomness = torch.Generator().manual_seed(0)
        self.register_buffer("latent_avg", torch.randn(8, generator=randomness) * 0.1)
        self.register_buffer("basis", torch.randn(32, 3 * 8 * 8, generator=randomness) / 4)

    @property
    def device(self) -> torch.device:
        return self.latent_avg.device

    def mapping(self, z: Tensor, _: Tensor | None = None) -> Tensor:
        return self.latent_avg + z.tanh()

    def synthesis(self, w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        size = resolution or self.resolution
        coarse = (w_plus.flatten(1) @ self.basis).unflatten(1, (3, 8, 8)).tanh()
        image = nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear", align_corners=False)
        return nn.functional.avg_pool2d(image, self.resolution // size)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("cuda") and not torch.cuda.is_available():
        pytest.skip("no CUDA here")


@pytest.fixture
def toy() -> ToyGenerator:
    return ToyGenerator().double().requires_grad_(False)


def randn(*shape: int, seed: int = 0) -> Tensor:
    """Seeded normal numbers in float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """A file with a smooth colourful picture."""

    def make(name: str = "picture.png", width: int = 40, height: int = 30) -> Path:
        y, x = np.mgrid[0:height, 0:width]
        pixels = np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], axis=-1).astype(np.uint8)
        path = tmp_path / name
        Image.fromarray(pixels).save(path)
        return path

    return make


@pytest.fixture
def portrait() -> Path:
    """A real photo with one face."""
    return PHOTOS / "female-1.jpg"


@pytest.fixture
def float_toy() -> ToyGenerator:
    return ToyGenerator().requires_grad_(False)


@pytest.fixture
def toy_shipped(float_toy: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy generator in the place of the bundled ones, wherever they are loaded."""
    find = registry.find_generator_file

    def find_toy(name_or_path: str | Path, **options: Any) -> GeneratorFile:  # noqa: ANN401
        return TOY if name_or_path in (GENERATOR, QUICK_GENERATOR) else find(name_or_path, **options)

    def build_toy(file: GeneratorFile, *, name: str) -> Generator:
        return float_toy if file is TOY else build_generator(file, name=name)

    monkeypatch.setattr("latentloop.generators.registry.find_generator_file", find_toy)
    monkeypatch.setattr("latentloop.generators.registry.build_generator", build_toy)


@pytest.fixture
def toy_photos(float_toy: ToyGenerator, tmp_path: Path) -> Callable[..., list[Path]]:
    """Files with images that the toy generator draws."""

    def make(count: int, folder: str = "photos") -> list[Path]:
        codes = float_toy.latent_avg + 0.5 * randn(count, 4, 8, seed=5).float()
        paths = [tmp_path / folder / f"photo-{i}.png" for i in range(count)]
        for path, w_plus in zip(paths, codes, strict=True):
            write_png(path, float_toy.synthesis(w_plus[None]))
        return paths

    return make


@pytest.fixture
def make_code() -> Callable[..., Code]:
    """A code like those that `embed` saves."""

    def make(**changes: object) -> Code:
        code = Code(
            w_plus=randn(4, 8).float(),
            space="w+",
            generator="toy-32",
            fingerprint="0123456789abcdef",
            quad=randn(4, 2, seed=1),
            original_size=(640, 480),
            losses=torch.tensor([0.5, 0.25, 0.125]),
            steps=2,
            details={
                "photo": {"file": "anna.jpg", "sha256": "ab" * 32, "faces": None},
                "settings": {"steps": 2},
                "metrics": {"mse": 0.01, "psnr": 26.0, "ssim": 0.9, "lpips_alex": 0.1, "id": 0.8},
                "seconds": 1.5,
            },
        )
        return replace(code, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take back what a program may do to its process and a test may not."""
    monkeypatch.setattr("latentloop.cli.keep_freed_memory", lambda: False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def run(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, list[str], list[str]]]:
    """Runs a command; gives its exit code and the lines on stdout and on stderr."""

    request.getfixturevalue("process")

    def run(*arguments: object) -> tuple[int, list[str], list[str]]:
        try:
            code: Any = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err.splitlines()

    return run


@pytest.fixture(scope="session")
def load_script() -> Callable[[str], ModuleType]:
    """Imports one of the project's scripts by its name."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "scripts" / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load

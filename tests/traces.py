"""Twenty steps of the trainer and of the iterator as text, with ten digits of every figure.

The texts in tests/golden hold the method still: `scripts/golden_traces.py` writes them, a test reproduces them. All is
computed in float64, from weights that NumPy draws and photos made of whole numbers, so that processors agree on nearly
all digits; a test allows 2e-6 of a number. Images are not degraded, since JPEG's rounding would turn a last digit into
another level: the traces say nothing of JPEG and the other degradations.
"""

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from conftest import ToyGenerator
from latentloop.cache import CodeCache, CodeSpace
from latentloop.encoders import Embedder, EmbedderConfig, make_embedder
from latentloop.features.lpips import load_lpips
from latentloop.inversion import IteratorConfig, LatentIterator
from latentloop.latents import mean_code
from latentloop.losses import iterator_loss
from latentloop.photos.sources import PhotoSource
from latentloop.training.collaboration import Collaboration
from latentloop.training.collaboration_config import CollaborationConfig
from latentloop.training.pending import PendingCodes
from latentloop.training.photos import PhotoSet
from latentloop.training.train_config import TrainConfig
from latentloop.training.trainer import Trainer

GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = 2e-6
"""Largest difference of a number from the recorded one, as a share of it. The same run with other instructions of the
processor (ATEN_CPU_CAPABILITY=default, MKL_CBWR=COMPATIBLE) differed by 1.8e-7: the trainer tells figures in float32,
and `torch.randn`, which draws the codes to learn from, has other last digits there. PyTorch without oneDNN
changed nothing."""
STEPS = 20
NETWORK = EmbedderConfig(
    resolution=32,
    channels=(8, 16, 32),
    depths=(1, 1, 1),
    fusion_blocks=1,
    identity="none",
    head_channels=32,
    tap_channels=4,
    second_look=True,
)
TRAIN = TrainConfig(
    steps=STEPS, batch=4, lr=2e-2, warm_up=4, average=0.9, mirror=True, spoil=False, clip=0.06, ramp_down=0.7
)
TEACHING = CollaborationConfig(teacher_steps=3, lambda_second_look=0.5, good_loss=0.55, good_steps=1)
TERMS = ("loss", "w", "img", "per", "again", "teacher", "gain", "known")
"""Figures of a step, as the trainer tells them."""


def training_trace() -> str:
    """Train a network for twenty steps: each step's figures, then a summary of the weights and of their mean."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(Path(folder))
        rows = []
        for told in trainer.run():
            weights, mean = trainer.embedder, trainer.result()
            rows.append([told["step"], *(told[term] for term in TERMS), *_summary(weights), _summary(mean)[1]])
    return _text(("step", *TERMS, "weights", "projection", "mean"), rows)


def iterator_trace() -> str:
    """Refine two codes for twenty steps, by each optimizer: the loss of each image and a summary of the codes."""
    generator, target = _generator(), _pictures(2).double() / 127.5 - 1
    loss, columns = iterator_loss(dtype=torch.float64), []
    for settings in (IteratorConfig(steps=STEPS), IteratorConfig(steps=STEPS, optimizer="adam", ramp_up=0.2)):
        codes: list[Tensor] = []
        iterator = LatentIterator(generator, loss, settings)
        found = iterator.refine(target, mean_code(generator, 2), on_code=codes.append)
        columns += [*found.losses.T.tolist(), [_projection([code]) for code in codes]]
    names = [f"{optimizer}-{what}" for optimizer in ("muon", "adam") for what in ("loss-1", "loss-2", "projection")]
    return _text(("step", *names), list(zip(range(STEPS + 1), *columns, strict=True)))


def read_trace(text: str) -> tuple[list[str], Tensor]:
    """The names of a trace's columns, and its numbers (rows, columns) in float64."""
    header, *rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    return header, torch.tensor([[float(number) for number in row] for row in rows], dtype=torch.float64)


def differing(found: str, recorded: str) -> list[str]:
    """Name the numbers of a trace that are beyond the tolerance, in the order of its steps."""
    (names, values), (expected_names, expected) = read_trace(found), read_trace(recorded)
    if names != expected_names or values.shape != expected.shape:
        return [f"other columns or steps: {' '.join(names)}, {len(values)} rows"]
    beyond = (values - expected).abs() > TOLERANCE * expected.abs() + 1e-9
    return [
        f"step {int(expected[row, 0])}, {names[column]}: {values[row, column]:.9e}, not {expected[row, column]:.9e}"
        for row, column in beyond.nonzero().tolist()
    ]


def _text(names: Sequence[str], rows: Sequence[Sequence[float]]) -> str:
    cells = [names, *([str(int(row[0])), *(f"{number:.9e}" for number in row[1:])] for row in rows)]
    return "".join(" ".join(cell.rjust(17 if i else 4) for i, cell in enumerate(line)) + "\n" for line in cells)


def _summary(network: Embedder) -> tuple[float, float]:
    """The root mean square of all weights, and their projection."""
    weights = [parameter.detach() for parameter in network.parameters()]
    squares = sum(float(weight.square().sum()) for weight in weights)
    return math.sqrt(squares / sum(weight.numel() for weight in weights)), _projection(weights)


def _projection(tensors: Sequence[Tensor]) -> float:
    """The mean product with a cosine: no number can change, and no two can change places, without it."""
    numbers = torch.cat([tensor.flatten() for tensor in tensors])
    return float((numbers * torch.arange(1, len(numbers) + 1).double().cos()).sum() / math.sqrt(len(numbers)))


def _trainer(folder: Path) -> Trainer:
    generator = _generator()
    embedder = make_embedder(NETWORK, generator, seed=0).double()
    randomness = np.random.default_rng(2)
    for parameter in embedder.parameters():
        scale = 0.7 / math.sqrt(max(1, parameter[0].numel()))
        shift = 1.0 if parameter.ndim == 1 and bool((parameter == 1).all()) else 0.0  # of a normalisation
        parameter.data = shift + scale * torch.from_numpy(randomness.standard_normal(parameter.shape))
    paths = [folder / f"{i:02}.png" for i in range(10)]
    for path, picture in zip(paths, _pictures(len(paths)), strict=True):
        Image.fromarray(picture.permute(1, 2, 0).to(torch.uint8).numpy()).save(path)
    space = CodeSpace(generator.fingerprint, generator.num_ws, generator.w_dim, {})
    cache = PendingCodes(CodeCache(folder / "codes.cache", space))
    loss, lpips = iterator_loss(dtype=torch.float64), load_lpips(dtype=torch.float64)
    both = Collaboration(embedder, generator, loss, lpips, TEACHING, cache)
    return Trainer(both, TRAIN, 0, PhotoSet([PhotoSource(path) for path in paths], 32))


def _generator() -> ToyGenerator:
    generator, randomness = ToyGenerator().double().requires_grad_(False), np.random.default_rng(1)
    for tensor, scale in ((generator.latent_avg, 0.1), (generator.basis, 0.25)):
        tensor.copy_(scale * torch.from_numpy(randomness.standard_normal(tensor.shape)))
    return generator


def _pictures(count: int) -> Tensor:
    """Smooth pictures of 32 pixels in levels from 0 to 255, (count, 3, 32, 32): folded planes of whole numbers."""
    i, channel, y, x = torch.meshgrid(*(torch.arange(n) for n in (count, 3, 32, 32)), indexing="ij")
    plane = (2 + i % 4) * x + (1 + (i + channel) % 5) * y + 37 * i + 80 * channel
    return (plane % 510 - 255).abs()


TRACES = {"training-trace.txt": training_trace, "iterator-trace.txt": iterator_trace}
"""The function that makes each of the files."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from latentloop import weights
from latentloop.benchmark import collaboration_speed
from latentloop.benchmark.collaboration_speed import CollaborationBench
from latentloop.generators import DrawnBy, MobileStyleGAN
from latentloop.generators.mobilestylegan import Shape
from latentloop.training.collaboration_config import CollaborationConfig


@pytest.fixture
def bench(tmp_path: Path) -> CollaborationBench:
    shape = Shape(w_dim=8, num_ws=10, channels=(16, 16, 16, 8, 8))
    generator = MobileStyleGAN(shape, name="tiny", fingerprint="tiny").requires_grad_(False)
    return CollaborationBench(generator, torch.float32, (1, 2), 1, tmp_path, CollaborationConfig(teacher_steps=2))


def test_a_step_stands_beside_the_iterators_steps_and_two(
    bench: CollaborationBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.9, 0.2, 2.4, 0.3])
    monkeypatch.setattr(collaboration_speed, "median_time", lambda *_, **__: next(times))
    lines = list(bench.table())
    assert lines[4:6] == ["| 1 | 900 | 200 | 1.12 |", "| 2 | 2400 | 300 | 2.00 |"]


def test_the_step_that_is_timed_learns_and_its_profile_is_told(bench: CollaborationBench) -> None:
    lines = list(bench.table())
    assert lines[7].startswith("Memory at its peak: ")
    operations = [line.split("|")[1].strip() for line in lines[-collaboration_speed.OPERATIONS :]]
    assert any("conv" in operation for operation in operations)
    shares = [int(line.split("|")[2].strip(" %")) for line in lines[-collaboration_speed.OPERATIONS :]]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 105


def test_what_a_step_takes_is_measured(bench: CollaborationBench) -> None:
    generator = bench.generator

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        time.sleep(0.1)
        return generator.synthesis(w_plus, resolution=resolution)

    slow = replace(bench, generator=DrawnBy(generator, draw), batches=(1,))
    cells = next(line for line in slow.table() if line.startswith("| 1 |")).split("|")
    step, drawn, ratio = (float(cell) for cell in cells[2:5])
    # The proposal's image, and those of the iterator before each of its two steps and after them.
    assert step >= 400
    assert drawn >= 100
    assert ratio == pytest.approx(step / (4 * drawn), abs=0.02)


def test_batch_sizes_share_the_weights_that_are_read(
    bench: CollaborationBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    names: list[str] = []
    read = weights._read

    def counted(file: weights.WeightsFile) -> weights.Weights:
        names.append(file.path.name)
        return read(file)

    monkeypatch.setattr(weights, "_read", counted)
    for batch in (1, 2):
        bench.step(batch)
    assert sorted(names) == ["lpips-alex.safetensors", "mobilefacenet.safetensors"]

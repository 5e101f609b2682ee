from pathlib import Path

import pytest

from latentloop.benchmark import training_speed
from latentloop.benchmark.options import MachineOptions, SpeedOptions
from latentloop.benchmark.training_speed import TrainingBench, time_training
from latentloop.training import set_up_training
from small_generators import SmallGenerator

PARTS = ("reading", "changing and degrading", "generator", "network", "losses", "optimizer")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_training_is_timed_as_it_is_done(small_generator: SmallGenerator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_speed, "PHOTOS", 4)
    options = SpeedOptions(generators=(str(small_generator()),), batches=(2,), runs=1)
    lines = list(time_training(options, MachineOptions(device="cpu", precision="float32")))
    assert lines[0].endswith("float32")
    assert lines[2].startswith("Training for small, 2 images a step: ")
    rows = [cells(line) for line in lines[6:-2]]
    assert [row[0] for row in rows] == [*PARTS, "drawing what is learned from", "rest"]
    assert all(float(row[1]) >= 0 for row in rows)
    assert sum(float(row[2].rstrip("%")) for row in rows) == pytest.approx(100, abs=0.5)


def test_parts_stand_beside_whole_steps(
    small_generator: SmallGenerator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Steps of 200 ms whose six parts take 10, 20 ... 60 ms, which is 210; then ones of 300 ms."""
    options = SpeedOptions(generators=(str(small_generator()),), batches=(2,), runs=1)
    monkeypatch.setattr(training_speed, "PHOTOS", 2)
    machine = MachineOptions(device="cpu", precision="float32")
    chosen = training_speed._train_options(options.generators[0], 2, options, machine, tmp_path)
    bench = TrainingBench(set_up_training(chosen).trainer, 1)
    times = iter([0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.4] * 2)
    monkeypatch.setattr(training_speed, "median_time", lambda *_, **__: next(times))
    for whole, rest in ((0.2, 0.0), (0.3, 0.09)):
        monkeypatch.setattr(TrainingBench, "_whole_steps", lambda _, whole=whole: whole)
        found = bench.parts()
        assert found["rest"] == pytest.approx(rest)
        assert found["drawing what is learned from"] == pytest.approx(0.4 / 4)  # one image, learned from four times
        assert found["generator"] == 0.03

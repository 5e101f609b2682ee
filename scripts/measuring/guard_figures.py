"""Quick figures that are compared with committed ones: quality and ratios, in about two minutes on two cores."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from measuring.running import run_python
from measuring.sources import ROOT

PHOTOS = ROOT / "examples" / "photos"
SEARCHED = PHOTOS / "female-1.jpg"
"""Photo of the search."""
GENERATOR = "mobile-ffhq-256"
"""Generator whose share of the convolution's rate is measured."""
ROUNDS, RUNS = 5, 4
"""Rounds of convolution and generator in turn, so that a change of the machine's load meets both; and runs in each."""
CONVOLUTION = "convolution"
"""Name of the work that the others are compared with, as in `latentloop bench generator`."""
QUALITY = ("lpips_alex", "mse", "id")
LEAST = {"lpips_alex": 0.03, "mse": 0.03, "id": 0.005, "share": 0.15}
"""Least noise of a figure by its last word, as a share of it: rounding on other machines; the load of a machine."""


def quality(threads: int) -> dict[str, float]:
    """Measure one pass on the sample photos, and the default search on one, with a number of threads."""
    one_pass = [photo["metrics"] for photo in _embed([PHOTOS], ["--method", "embed"], threads)]
    (searched,) = _embed([SEARCHED], ["--quality", "balanced"], threads)
    means = {f"one pass, {name}": fmean(one[name] for one in one_pass) for name in QUALITY}
    return means | {f"balanced, {SEARCHED.stem}, {name}": searched["metrics"][name] for name in QUALITY}


def _embed(photos: Sequence[Path], options: Sequence[str], threads: int) -> list[Mapping[str, Any]]:
    """Run `latentloop embed` into a temporary folder; returns what it says of each photo."""
    with tempfile.TemporaryDirectory() as out:
        words = ["-m", "latentloop", "embed", *map(str, photos), *options, "--out", out, "--precision", "float32"]
        run_python(words, threads=threads)
        found: list[Mapping[str, Any]] = json.loads((Path(out) / "results.json").read_text(encoding="utf-8"))["photos"]
    return found


def shares() -> list[dict[str, float]]:
    """Measure the generator's rate as a share of the convolution's, forward and with gradient, in several rounds.

    In seconds of one thread's processor, because a clock on the wall counts what else the machine does.
    """
    import torch

    from latentloop import load_generator
    from latentloop.benchmark.speed import convolving, count_flop, drawing, drawing_with_gradient

    torch.set_num_threads(1)
    generator = load_generator(GENERATOR)
    works = {
        CONVOLUTION: convolving(generator.device),
        "forward": drawing(generator, batch=1, resolution=generator.resolution),
        "forward and backward": drawing_with_gradient(generator, batch=1, resolution=generator.resolution),
    }
    flop = {name: count_flop(work) for name, work in works.items()}
    found = []
    for _ in range(ROUNDS):
        rates = {name: flop[name] / processor_time(work) for name, work in works.items()}
        found.append({_share(name): rate / rates[CONVOLUTION] for name, rate in rates.items() if name != CONVOLUTION})
    return found


def processor_time(work: Callable[[], object], *, runs: int = RUNS) -> float:
    """Measure the median seconds of the processor that some work takes, after an unmeasured run."""
    times = []
    for _ in range(runs + 1):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
    return median(times[1:])


def median_share(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Take the median of each share over the rounds."""
    return {name: median(one[name] for one in rounds) for name in rounds[0]}


def least_noise(name: str) -> float:
    """Return the least noise of a figure, as a share of it."""
    return LEAST.get(name.rpartition(", ")[2], LEAST["share"])


def is_share(name: str) -> bool:
    """Return whether a figure is one of speed, which other processors and versions of PyTorch change."""
    return name.rpartition(", ")[2] not in QUALITY


def _share(name: str) -> str:
    return f"{GENERATOR}, {name}, share of the convolution's rate"

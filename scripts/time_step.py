"""Time the iterator and the generator: median seconds for one image, with the machine's own words.

python scripts/time_step.py
python scripts/time_step.py --no-keep-memory    # as Python users without keep_freed_memory() see it
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import tyro

from latentloop import IteratorConfig, LatentIterator, iterator_loss, keep_freed_memory, load_generator, mean_code
from latentloop.pipeline.results import describe


@dataclass(frozen=True)
class Timing:
    """Time one image at batch 1 on the CPU."""

    generator: str = "mobile-ffhq-1024"
    """Which generator."""
    runs: int = 10
    """Runs of each, after one that does not count."""
    keep_memory: bool = True
    """Let freed memory stay in the process, as the command line does."""

    def run(self) -> None:
        """Print the times."""
        if self.keep_memory:
            keep_freed_memory()
        generator, loss = load_generator(self.generator), iterator_loss()
        w_plus, target = mean_code(generator), torch.zeros(1, 3, 256, 256)

        @torch.inference_mode()
        def forward() -> None:
            generator.synthesis(w_plus)

        def backward() -> None:
            code = w_plus.clone().requires_grad_()
            torch.autograd.grad(generator.synthesis(code, resolution=256).sum(), code)

        steps: list[float] = []
        config = IteratorConfig(steps=self.runs + 1)
        LatentIterator(generator, loss, config).refine(target, w_plus, lambda *_: steps.append(time.perf_counter()))
        # The report of step k comes before its gradient, so from one report to the next is one whole step.
        whole = [after - before for before, after in pairwise(steps[1:])]
        print(f"torch {torch.__version__}, {describe(torch.device('cpu'))}, {generator.name}, batch 1, float32")
        print(f"forward, full size:          {median_time(forward, self.runs):.3f} s")
        print(f"forward and backward, 256:   {median_time(backward, self.runs):.3f} s")
        print(f"a whole step of the iterator: {statistics.median(whole):.3f} s")


def median_time(work: Callable[[], None], runs: int) -> float:
    """Median seconds of some work, after one run that does not count."""
    times = []
    for _ in range(runs + 1):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times[1:])


if __name__ == "__main__":
    tyro.cli(Timing).run()

"""Time the iterator and the generator: median seconds for one image, with PyTorch's version and the device.

python scripts/time_step.py
python scripts/time_step.py --no-keep-memory    # as Python users without keep_freed_memory() see it
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from latentloop import iterator_loss, keep_freed_memory, load_generator
from latentloop.benchmark.generator_speed import iterator_times
from latentloop.benchmark.speed import describe_machine, drawing, drawing_with_gradient, median_time


@dataclass(frozen=True)
class Timing:
    """Time one image at batch 1 on the CPU."""

    generator: str = "mobile-ffhq-1024"
    """Generator to time: a bundled one, or a file."""
    runs: int = 10
    """Runs of each measurement, after one that does not count."""
    keep_memory: bool = True
    """Keep freed memory in the process, as the command line does."""
    json: Path | None = None
    """File for the figures, in seconds."""

    def run(self) -> None:
        """Print the times."""
        if self.keep_memory:
            keep_freed_memory()
        generator, loss = load_generator(self.generator), iterator_loss()
        forward = drawing(generator, batch=1, resolution=generator.resolution)
        backward = drawing_with_gradient(generator, batch=1, resolution=256)
        step, _ = iterator_times(generator, loss, runs=self.runs)
        figures = {
            "forward": median_time(forward, runs=self.runs),
            "forward_backward": median_time(backward, runs=self.runs),
            "step": step,
        }
        print(f"{describe_machine(torch.device('cpu'), torch.float32)}, {generator.name}, batch 1")
        print(f"forward, full size:          {figures['forward']:.3f} s")
        print(f"forward and backward, 256:   {figures['forward_backward']:.3f} s")
        print(f"a whole step of the iterator: {step:.3f} s")
        if self.json:
            self.json.write_text(json.dumps({name: round(one, 4) for name, one in figures.items()}))


if __name__ == "__main__":
    tyro.cli(Timing).run()

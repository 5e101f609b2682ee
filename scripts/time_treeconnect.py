"""Time TreeConnect beside a fully connected layer of the same shape.

python scripts/time_treeconnect.py --features 8192
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import tyro
from torch import Tensor, nn

from latentloop.benchmark.speed import median_time
from latentloop.encoders import TreeConnect


@dataclass(frozen=True)
class Timing:
    """Print the layers' weights, and the milliseconds of a batch, forward and with all gradients."""

    features: int = 8192
    """Input and output features; the default network's head has 8192 of both."""
    batches: tuple[int, ...] = (1, 8)
    """Batch sizes to time."""
    runs: int = 20
    """Runs of each measurement, of which the median counts."""

    def run(self) -> None:
        """Print the table."""
        print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float32")
        print("| layer | weights | batch | forward, ms | forward and backward, ms |\n|---|---|---|---|---|")
        for layer in (TreeConnect(self.features, self.features), nn.Linear(self.features, self.features)):
            weights = sum(parameter.numel() for parameter in layer.parameters())
            for batch in self.batches:
                x = torch.randn(batch, self.features)
                forward, both = (1000 * median_time(work, runs=self.runs) for work in _works(layer, x))
                print(f"| {type(layer).__name__} | {weights:,} | {batch} | {forward:.2f} | {both:.2f} |")


def _works(layer: nn.Module, x: Tensor) -> tuple[Callable[[], None], Callable[[], None]]:
    @torch.inference_mode()
    def forward() -> None:
        layer(x)

    def both() -> None:
        layer.zero_grad()
        layer(x).sum().backward()

    return forward, both


if __name__ == "__main__":
    tyro.cli(Timing).run()

"""Plot the iterator's loss over its steps, from the network's code and from the mean latent.

    python scripts/convergence.py dev/*.png --steps 100 --out convergence.png

Also prints the means over the photos as a Markdown table. From the network's code the iterator takes half the step
size, 0.04 instead of 0.08.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from torch import Tensor

from latentloop import keep_freed_memory, load_embedder, load_generator
from latentloop.devices import find_device, find_precision
from latentloop.encoders import predict
from latentloop.generators import low_precision
from latentloop.images import read_image, resample
from latentloop.inversion import IteratorConfig, LatentIterator
from latentloop.latents import mean_code
from latentloop.losses import iterator_loss

SHARES = (0, 0.05, 0.1, 0.25, 0.5, 0.75, 1)
"""Shares of the steps at which the table shows the loss."""
STARTS = {"w_e": "the network's code", "latent_avg": "the mean latent"}


@dataclass(frozen=True)
class Convergence:
    """Compare the iterator's progress from two starts."""

    first: tyro.conf.Positional[Path]
    """Square, aligned photo."""
    more: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Further photos."""
    generator: str = "mobile-ffhq-1024"
    """Generator: a bundled one, or a file."""
    embedder: str = "base-ffhq"
    """Embedding network for it: a bundled one, or a file."""
    steps: int = 100
    """Steps of the iterator."""
    out: Path = Path("convergence.png")
    """Plot to write."""

    def run(self) -> None:
        """Write the plot and print the table."""
        keep_freed_memory()
        device = find_device("auto")
        dtype = find_precision("auto", device)
        generator = load_generator(self.generator, device=device)
        embedder = load_embedder(self.embedder, generator)
        drawing, loss = low_precision(generator, dtype), iterator_loss(device=device, dtype=dtype)
        far, near = (LatentIterator(drawing, loss, IteratorConfig(steps=self.steps, lr=lr)) for lr in (0.08, 0.04))
        size = min(256, generator.resolution)
        photos, losses = (self.first, *self.more), {name: list[Tensor]() for name in STARTS}
        for path in track(photos, "following", console=Console(stderr=True)):
            photo = read_image(path).to(device)
            target = resample(photo, size)
            proposal = predict(embedder, photo)
            losses["w_e"].append(near.refine(target, proposal).losses)
            losses["latent_avg"].append(far.refine(target, mean_code(generator, 1)).losses)
        curves = {name: torch.cat(values, dim=1).mean(dim=1).cpu() for name, values in losses.items()}
        self._print(curves)
        self._draw(curves)

    def _print(self, curves: dict[str, Tensor]) -> None:
        shown = [round(share * self.steps) for share in SHARES]
        print("| start | " + " | ".join(f"{step} steps" for step in shown) + " |")
        print("|---" * (len(shown) + 1) + "|")
        for name, curve in curves.items():
            print(f"| `{name}` | " + " | ".join(f"{curve[step]:.4f}" for step in shown) + " |")

    def _draw(self, curves: dict[str, Tensor]) -> None:
        figure = Figure(figsize=(6, 3.5), layout="constrained")
        axes = figure.subplots()
        for name, curve in curves.items():
            axes.semilogy(curve, label=f"from {STARTS[name]}")
        axes.set(xlabel="iterator steps", ylabel="MSE + 0.8 LPIPS", title=f"mean of {1 + len(self.more)} photos")
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend()
        figure.savefig(self.out, dpi=110)


if __name__ == "__main__":
    tyro.cli(Convergence).run()

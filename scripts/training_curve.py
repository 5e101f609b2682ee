"""Draw the validation figures of `latentloop train` runs, one after the other, against the images they learned from.

python scripts/training_curve.py out/default/drawn out/default/photos --out curve.png
"""

import json
from dataclasses import dataclass
from pathlib import Path

import tyro
from matplotlib.figure import Figure

FIGURES = {"val_lpips": "LPIPS", "val_mse": "MSE"}


@dataclass(frozen=True)
class Curve:
    """Draw runs that each began with the network of the one before."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of the runs, in their order."""
    out: Path = Path("curve.png")
    """Picture to write."""

    def run(self) -> None:
        """Draw and save."""
        figure = Figure(figsize=(7, 3), layout="constrained")
        for axes, (key, label) in zip(figure.subplots(1, len(FIGURES)), FIGURES.items(), strict=True):
            seen = 0
            for folder in self.runs:
                batch = json.loads((folder / "config.json").read_text())["config"]["batch"]
                lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
                at = [seen + line["step"] * batch for line in lines]
                axes.plot([x / 1000 for x in at], [line[key] for line in lines], marker=".", label=folder.name)
                seen = at[-1] if at else seen
            axes.set(xlabel="thousand images seen", ylabel=f"validation {label}")
            axes.grid(visible=True, alpha=0.3)
            axes.legend()
        figure.savefig(self.out, dpi=110)


if __name__ == "__main__":
    tyro.cli(Curve).run()

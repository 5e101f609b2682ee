"""Train a network like the one that ships, on any machine, in stages that each go on where they were stopped.

    python scripts/train_default.py --data "faces/*.tar" --validation held-out --out out/default

First a generator that draws 128 pixels, quicker than the one at 256, learns to stand for it. Then the network learns
from what the generator draws, then from photos, too, at last at 256 pixels. docs/training-log.md says what was tried.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from latentloop.errors import UserError
from latentloop.training import Progress, distill, train

Options = Mapping[str, Any]
QUICK = "mobile-128"
"""Name of the quicker generator."""
DISTILLING: Options = {"resolution": 128, "steps": 1024, "precision": "bfloat16"}
COMMON: Options = {"repeats": 4, "lambda_w": 0.1, "image_target": "photo"}
PHOTOS: Options = {"synthetic": 0.25, "teacher_steps": 0, "cache": False}
VARIED: Options = {"mirror": True, "jitter": 0.7, "relight": 0.5}
WEIGHED: Options = {"lambda_img": 0.5, "lambda_per": 1.0, "lambda_id": 0.2, "lambda_second_look": 1.0}


@dataclass(frozen=True)
class Stage:
    """One training run, which begins with the network of the stage before."""

    options: Options
    """Options of `latentloop.training.train`."""
    quick: bool = True
    """Whether the quicker generator's images are compared."""
    photos: bool = True
    """Whether photos are learned from."""


STAGES = {
    "drawn": Stage({"resolution": 128, "steps": 800, "lr": 2e-3}, photos=False),
    "photos": Stage({**PHOTOS, "resolution": 128, "lambda_id": 0.2, "steps": 3000, "lr": 2.5e-3}),
    "fine": Stage({**PHOTOS, **VARIED, **WEIGHED, "steps": 4000, "lr": 2e-3, "warm_up": 30}, quick=False),
}


@dataclass(frozen=True)
class Recipe:
    """Run all stages that are not finished."""

    data: tuple[str, ...]
    """Square, aligned photos: folders, quoted globs, tar files."""
    validation: tuple[str, ...]
    """Photos to measure on."""
    out: Path = Path("out/default")
    """Folder; each stage has one of its own in it."""
    generator: str = "mobile-ffhq-256"
    """Generator to train for."""
    device: str = "auto"
    """auto, cpu, cuda ..."""

    def run(self) -> Path:
        """Run the stages; returns the file of the last one's network."""
        quick = distill(self.generator, name=QUICK, device=self.device, out=self.out / QUICK, **DISTILLING)
        network: Path | None = None
        for name, stage in STAGES.items():
            train(
                self.generator,
                data=self.data if stage.photos else None,
                validation=self.validation,
                out=self.out / name,
                on_progress=show,
                quick=quick if stage.quick else None,
                start=network,
                device=self.device,
                **{**COMMON, **stage.options},
            )
            network = self.out / name / "last.safetensors"
            print(network, flush=True)
        assert network is not None  # noqa: S101 - there are stages
        return network


def show(progress: Progress) -> None:
    """Print what is logged whenever the run is saved."""
    if progress.saved:
        print("  ".join(f"{name} {value:.4g}" for name, value in progress.saved.items()), flush=True)


if __name__ == "__main__":
    try:
        tyro.cli(Recipe).run()
    except UserError as error:
        sys.exit(str(error))

"""Train a network like the one that ships, on any machine, in stages that each go on where they were stopped.

    python scripts/train_default.py --data "faces/*.tar" --validation held-out --out out/default

First a generator that draws 128 pixels, quicker than the one at 256, learns to stand for it. Then the network learns
from what the generator draws, then from photos, too. docs/training-log.md says what was tried.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from latentloop.cli import main

TEACHER = "mobile-ffhq-256"
QUICK = "mobile-128"
COMMON = (
    "--generator",
    TEACHER,
    "--resolution",
    "128",
    "--repeats",
    "4",
    "--lambda-w",
    "0.1",
    "--image-target",
    "photo",
)
PHOTOS = ("--synthetic", "0.25", "--image-target", "photo")
STAGES = {
    "drawn": ("--steps", "800", "--lr", "2e-3"),
    "photos": ("--steps", "3000", "--lr", "1.5e-3", *PHOTOS, "--teacher-steps", "0", "--no-cache"),
}
"""Options of each stage's `latentloop train`; each begins with the network of the one before."""


@dataclass(frozen=True)
class Recipe:
    """Run all stages that are not finished."""

    data: tuple[str, ...]
    """Square, aligned photos: folders, quoted globs, tar files."""
    validation: tuple[str, ...]
    """Photos to measure on."""
    out: Path = Path("out/default")
    """Folder; each stage has one of its own in it."""
    device: str = "auto"
    """auto, cpu, cuda ..."""

    def run(self) -> int:
        """Run them; returns the exit code of the stage that stopped, or 0."""
        quick = self.out / QUICK
        code = main(["distill", "--generator", TEACHER, "--resolution", "128", "--name", QUICK, *self._distil(quick)])
        start: list[str] = []
        for name, options in STAGES.items():
            if code:
                return code
            folder = self.out / name
            photos = ["--data", *self.data] if name != "drawn" else []
            where = ["--quick", str(quick / f"{QUICK}.safetensors"), "--validation", *self.validation]
            where += ["--device", self.device, "--out", str(folder)]
            code = main(["train", *COMMON, *options, *photos, *start, *where])
            start = ["--start", str(folder / "last.safetensors")]
        return code

    def _distil(self, folder: Path) -> Sequence[str]:
        return ("--steps", "1024", "--precision", "bfloat16", "--device", self.device, "--out", str(folder))


if __name__ == "__main__":
    sys.exit(tyro.cli(Recipe).run())

"""Train a network like the one that ships, on any machine, in stages that each go on where they were stopped.

    python scripts/train_default.py --data "faces/*.tar" --validation held-out --out out/default

First a generator that draws 128 pixels, quicker than the one at 256, learns to stand for it. Then the network learns
from what the generator draws, then from photos, too, at last at 256 pixels. docs/training-log.md says what was tried.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from latentloop.cli import main

TEACHER = "mobile-ffhq-256"
QUICK = "mobile-128"
COMMON = f"--generator {TEACHER} --repeats 4 --lambda-w 0.1 --image-target photo"
COARSE = "--resolution 128 --quick QUICK"
PHOTOS = "--synthetic 0.25 --teacher-steps 0 --no-cache"
STAGES = {
    "drawn": f"{COARSE} --steps 800 --lr 2e-3",
    "photos": f"{COARSE} {PHOTOS} --lambda-id 0.2 --steps 3000 --lr 2.5e-3",
    "fine": f"{PHOTOS} --lambda-id 0.1 --mirror --steps 4000 --lr 2e-3 --warm-up 30",
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
            words = [str(quick / f"{QUICK}.safetensors") if word == "QUICK" else word for word in options.split()]
            where = ["--validation", *self.validation, "--device", self.device, "--out", str(folder)]
            code = main(["train", *COMMON.split(), *words, *photos, *start, *where])
            start = ["--start", str(folder / "last.safetensors")]
        return code

    def _distil(self, folder: Path) -> Sequence[str]:
        return ("--steps", "1024", "--precision", "bfloat16", "--device", self.device, "--out", str(folder))


if __name__ == "__main__":
    sys.exit(tyro.cli(Recipe).run())

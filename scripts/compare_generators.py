"""Print how closely a generator reproduces the images of another from the same codes, as a Markdown table.

    python scripts/compare_generators.py mobile-ffhq-256 mobile-ffhq-1024 --count 250 --sheet fidelity.jpg

compares at 256 pixels, on codes that no distillation with another seed has seen: `count` of truncation psi 0.7, as
many of psi 1, and 4/5 as many W+ mixtures, in which each style comes from a different code.
"""

import statistics
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from PIL import Image
from rich.console import Console
from rich.progress import track

from latentloop import keep_freed_memory, load_generator
from latentloop.evaluation.fidelity import compare_generators, held_out_codes
from latentloop.evaluation.measure import load_evaluator
from latentloop.images import resample, to_uint8
from latentloop.pictures.sheet import contact_sheet

DIGITS = {"psnr": 2, "lpips_alex": 3, "id": 3, "ssim": 3, "mse": 4}
SHOWN = 4
"""Codes of each kind on the contact sheet."""


@dataclass(frozen=True)
class Comparison:
    """Compare the images of two generators."""

    student: tyro.conf.Positional[str]
    """Generator to judge: a bundled one, or a file."""
    teacher: tyro.conf.Positional[str] = "mobile-ffhq-1024"
    """Generator to compare with, of the same latent space."""
    count: int = 250
    """Number of codes of each psi."""
    seed: int = 20261123
    """Random seed of the codes."""
    sheet: Path | None = None
    """Contact sheet to write: the teacher's images above the student's."""

    def run(self) -> None:
        """Print the table."""
        keep_freed_memory()
        student, teacher, evaluator = load_generator(self.student), load_generator(self.teacher), load_evaluator()
        codes = held_out_codes(teacher, self.count, seed=self.seed)
        codes["W+ mixtures"] = codes["W+ mixtures"][: 4 * self.count // 5]
        print("| codes | n | " + " | ".join(DIGITS) + " |")
        print("|---" * (len(DIGITS) + 2) + "|")
        everything: list[dict[str, float]] = []
        for name, w_plus in codes.items():
            figures = [
                compare_generators(student, teacher, w[None], evaluator)[0]
                for w in track(list(w_plus), name, console=Console(stderr=True))
            ]
            print(row(name, figures))
            everything += figures
        print(row("all", everything))
        if self.sheet:
            shown = torch.cat([w_plus[:SHOWN] for w_plus in codes.values()])
            rows = [[resample(g.synthesis(w[None]), 256) for w in shown] for g in (teacher, student)]
            picture = contact_sheet(torch.cat(rows[0] + rows[1]), len(shown))
            Image.fromarray(to_uint8(picture[0])).save(self.sheet, quality=88)


def row(name: str, figures: list[dict[str, float]]) -> str:
    """Format a row of means and standard deviations."""
    columns = {key: [figure[key] for figure in figures] for key in DIGITS}
    cells = [f"{statistics.mean(v):.{DIGITS[k]}f} ({statistics.pstdev(v):.{DIGITS[k]}f})" for k, v in columns.items()]
    return f"| {name} | {len(figures)} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    tyro.cli(Comparison).run()

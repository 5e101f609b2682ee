"""Draw the floors and rooms of the package, as the import contract in pyproject.toml has them.

python scripts/draw_architecture.py docs/images/architecture.png
"""

import ast
import textwrap
import tomllib
from pathlib import Path

import tyro
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).parents[1]
COLOURS = {"doors": "#fde7d3", "jobs": "#fbd0a8", "methods": "#d7e8f7", "networks": "#dcefe0", "ground": "#ececec"}
"""Colours of the kinds of floors, from above."""
LAST = {"doors": "results", "jobs": "training", "methods": "losses", "networks": "generators", "ground": "options"}
"""Lowest room of each kind."""
WIDTH, HEIGHT = 11.0, 0.78


def floors() -> list[list[str]]:
    """Read the rooms of each floor, from above; a floor imports from those below alone."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = (contract["layers"] for contract in contracts["contracts"] if contract["type"] == "layers")
    return [layer.split(" | ") for layer in layers]


def about(room: str) -> str:
    """Read the first line of a room's docstring."""
    path = ROOT / "src" / "latentloop" / room
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").splitlines()[0]


def draw(rows: list[list[str]]) -> Figure:
    """Draw a row of boxes for each floor."""
    figure = Figure(figsize=(WIDTH, HEIGHT * len(rows)), dpi=130)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, WIDTH), ylim=(0, len(rows)))
    axes.axis("off")
    kinds = iter(COLOURS)
    kind = next(kinds)
    for i, rooms in enumerate(rows):
        width = (WIDTH - 0.2) / len(rooms)
        for j, room in enumerate(rooms):
            left, bottom = 0.1 + j * width, len(rows) - 1 - i
            box = (left + 0.04, bottom + 0.08), width - 0.08, 0.84
            axes.add_patch(
                FancyBboxPatch(*box, boxstyle="round,pad=0,rounding_size=0.08", fc=COLOURS[kind], ec="#777777")
            )
            middle = left + width / 2
            axes.text(middle, bottom + 0.72, room, ha="center", va="center", weight="bold", size=9)
            text = textwrap.fill(about(room), int(width * 15), max_lines=3, placeholder=" ...")
            axes.text(middle, bottom + 0.36, text, ha="center", va="center", size=6.5)
        if LAST[kind] in rooms:
            kind = next(kinds, kind)
    return figure


def main(out: tyro.conf.Positional[Path]) -> None:
    """Draw the picture.

    Args:
        out: Picture to write, a .png or an .svg.
    """
    draw(floors()).savefig(out)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)

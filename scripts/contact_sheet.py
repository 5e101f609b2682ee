"""Lay a folder of `latentloop embed` out as one picture: photos, what one pass found, reconstructions, differences.

python scripts/contact_sheet.py out/demo docs/images/demo.jpg --size 256 --beside out/instant
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from PIL import Image

from latentloop.embedding.thumbnails import difference
from latentloop.images import read_image, resize, to_uint8
from latentloop.pictures.sheet import contact_sheet


@dataclass(frozen=True)
class Sheet:
    """Draw a contact sheet: a column a photo; rows: photos, one pass, another folder, reconstructions, difference."""

    folder: tyro.conf.Positional[Path]
    """Folder that `latentloop embed` wrote."""
    out: tyro.conf.Positional[Path]
    """Picture to write, such as sheet.jpg."""
    size: int = 192
    """Size of a tile in pixels."""
    beside: Path | None = None
    """Folder of the same photos, found in another way, whose reconstructions come before."""
    columns: int = 12
    """Photos next to each other."""

    def run(self) -> None:
        """Draw and save."""
        names = sorted(path.name for path in (self.folder / "aligned").glob("*.png"))
        bands = [self.band(names[i : i + self.columns]) for i in range(0, len(names), self.columns)]
        width = max(band.shape[-1] for band in bands)
        bands = [torch.nn.functional.pad(band, (0, width - band.shape[-1]), value=1.0) for band in bands]
        self.out.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(to_uint8(torch.cat(bands, dim=2)[0])).save(self.out, quality=88)

    def band(self, names: list[str]) -> torch.Tensor:
        """Lay out the tiles of some results, (1, 3, rows * size, n * size)."""
        photos, drawn = self.tiles(self.folder / "aligned", names), self.tiles(self.folder, names)
        passed = self.tiles(self.folder / "one-pass", names) if (self.folder / "one-pass").is_dir() else []
        beside = self.tiles(self.beside, names) if self.beside else []
        differences = [difference(a, b) for a, b in zip(drawn, photos, strict=True)]
        return contact_sheet(torch.cat(photos + passed + beside + drawn + differences), len(names))

    def tiles(self, folder: Path, names: list[str]) -> list[torch.Tensor]:
        """Read pictures of a folder, each (1, 3, size, size)."""
        return [resize(read_image(folder / name), self.size, self.size) for name in names]


if __name__ == "__main__":
    tyro.cli(Sheet).run()

"""Make the file of a shipped generator whose images are descreened: the setting alone, for its trunk has all weights.

python scripts/pack_descreened.py src/latentloop/assets/mobile-ffhq-1024-v2.safetensors

prints the checksum of what it wrote.
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from latentloop.files import sha256_of
from latentloop.generators.mobilestylegan_file import DESCREENED
from latentloop.weights import write_ours


@dataclass(frozen=True)
class Pack:
    """Write a file without tensors."""

    path: tyro.conf.Positional[Path]
    """The file to write."""

    def run(self) -> None:
        """Write it."""
        write_ours(self.path, "mobilestylegan", {}, {DESCREENED: True})
        print(f"{self.path}: {self.path.stat().st_size:,} bytes, sha256 {sha256_of(self.path)}")


if __name__ == "__main__":
    tyro.cli(Pack).run()

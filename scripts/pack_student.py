"""Make the file of a shipped student from what `latentloop distill` wrote: only what its teacher's file lacks.

python scripts/pack_student.py distilled/mobile-ffhq-256.safetensors src/latentloop/assets

prints the checksum of what it wrote.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from safetensors.torch import save_file

from latentloop.files import sha256_of
from latentloop.generators.mobilestylegan_file import on_trunk
from latentloop.generators.registry import SHIPPED
from latentloop.weights import KIND, WeightsFile, read_weights


@dataclass(frozen=True)
class Pack:
    """Leave out of a student's file what it shares with its teacher."""

    student: tyro.conf.Positional[Path]
    """Its whole file."""
    out: tyro.conf.Positional[Path]
    """Folder for the smaller one, of the same name."""
    teacher: str = "mobile-ffhq-1024-v1"
    """A shipped generator, all of whose tensors are in its own file."""

    def run(self) -> None:
        """Write the tensors that differ, as float16."""
        whole, trunk = read_weights(WeightsFile(self.student)), read_weights(SHIPPED[self.teacher].file).tensors
        differing = {
            name: tensor.half()
            for name, tensor in whole.tensors.items()
            if name not in trunk or trunk[name].shape != tensor.shape or not torch.equal(trunk[name], tensor)
        }
        if on_trunk(differing, trunk).keys() != whole.tensors.keys():
            raise SystemExit(f"{self.student}: not a student of {self.teacher}")
        target = self.out / self.student.name
        save_file(differing, target, {KIND: whole.metadata[KIND]})
        print(f"{target}: {target.stat().st_size:,} bytes, {len(differing)} tensors, sha256 {sha256_of(target)}")


if __name__ == "__main__":
    tyro.cli(Pack).run()

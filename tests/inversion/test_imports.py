"""What refining a code may import: creating an optimizer of PyTorch imports its compiler, which takes seconds."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
import torch
from latentloop.inversion import IteratorConfig, LatentIterator
from latentloop.losses import pixel_loss, toward

class Generator:
    num_ws, w_dim = 4, 8

    def synthesis(self, w_plus, *, resolution):
        return w_plus.sum(dim=1)[:, :3, None, None].tanh().expand(-1, 3, resolution, resolution)

config = IteratorConfig(steps=int(sys.argv[1]), optimizer=sys.argv[2])
iterator = LatentIterator(Generator(), toward(pixel_loss), config)
start = torch.zeros(1, 4, 8)
found = iterator.refine(torch.ones(1, 3, 16, 16), start)
print(torch.equal(found.w_plus, start), "torch._dynamo" in sys.modules)
"""


@pytest.mark.parametrize("optimizer", ["muon", "adam"])
@pytest.mark.parametrize("steps", [0, 2])
def test_refining_leaves_the_compiler_out(steps: int, optimizer: str) -> None:
    command = [sys.executable, "-c", SCRIPT, str(steps), optimizer]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout.split(), result.stderr) == ([str(steps == 0), "False"], "")

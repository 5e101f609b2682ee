"""The three convolutional networks of MTCNN (Zhang et al., arXiv:1604.02878)."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentloop.weights import read_weights, shipped, with_weights

FILE = shipped("mtcnn.safetensors", "a1cd769b50fdeb0acfc5b615e93156c0fbf712ba8a029b7eced7d98e81d21c10")
"""Bundled weights of the three networks."""


class ProposalNet(nn.Module):
    """P-Net: a convolutional network that scores all 12-pixel windows of an image, two pixels apart."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (N, 3, H, W) to face probabilities (N, h, w) and box corrections (N, 4, h, w)."""
        # ceil_mode as in Caffe, for which MTCNN was written; without it windows would shift.
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 2, 2, ceil_mode=True)
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        return self.conv4_1(x).softmax(dim=1)[:, 1], self.conv4_2(x)


class RefineNet(nn.Module):
    """R-Net: scores proposed windows at 24 pixels and corrects their boxes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map windows (N, 3, 24, 24) to face probabilities (N,) and box corrections (N, 4)."""
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)
        x = self.prelu3(self.conv3(x))
        x = self.prelu4(self.dense4(_column_major(x)))
        return self.dense5_1(x).softmax(dim=1)[:, 1], self.dense5_2(x)


class OutputNet(nn.Module):
    """O-Net: scores windows at 48 pixels, corrects their boxes and locates five landmarks in them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map windows (N, 3, 48, 48) to face probabilities (N,), box corrections (N, 4) and landmarks (N, 5, 2).

        Landmarks are (x, y) as fractions of the window.
        """
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu3(self.conv3(x)), 2, 2, ceil_mode=True)
        x = self.prelu4(self.conv4(x))
        x = self.prelu5(self.dense5(_column_major(x)))
        landmarks = self.dense6_3(x).unflatten(1, (2, 5)).mT  # five x, then five y
        return self.dense6_1(x).softmax(dim=1)[:, 1], self.dense6_2(x), landmarks


def _column_major(x: Tensor) -> Tensor:
    """Flatten (N, C, H, W) in the order of the dense weights, which were trained on transposed maps."""
    return x.permute(0, 3, 2, 1).flatten(1)


@dataclass(frozen=True)
class Mtcnn:
    """The three networks of MTCNN's cascade, frozen."""

    propose: ProposalNet
    """P-Net, which scores every window of the image."""
    refine: RefineNet
    """R-Net, which scores and corrects the proposed windows."""
    output: OutputNet
    """O-Net, which also locates the landmarks."""


def load_mtcnn(*, device: torch.device | str = "cpu") -> Mtcnn:
    """Load frozen MTCNN networks with the bundled weights.

    Raises:
        UserError: The weights file of the package is missing or damaged.
    """
    tensors = read_weights(FILE).tensors
    with torch.device("meta"):
        propose, refine, output = ProposalNet(), RefineNet(), OutputNet()
    return Mtcnn(
        with_weights(propose, _of(tensors, "pnet.")).to(device),
        with_weights(refine, _of(tensors, "rnet.")).to(device),
        with_weights(output, _of(tensors, "onet.")).to(device),
    )


def _of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

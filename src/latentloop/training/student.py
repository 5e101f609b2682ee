"""Student of a distillation: a generator's first blocks, with a new head for smaller images."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from latentloop.errors import UserError
from latentloop.generators import Generator, MobileStyleGAN

SPREAD = 0.01
"""Standard deviation of the new weights."""


def make_student(teacher: MobileStyleGAN, *, name: str, resolution: int, randomness: torch.Generator) -> MobileStyleGAN:
    """Create a student: the teacher's blocks up to a resolution, with a new head.

    It takes the same code: the head is modulated by all styles that the blocks do not use.

    Args:
        teacher: Generator to learn from, on the CPU.
        name: Name of the student.
        resolution: Side of its images in pixels.
        randomness: Random generator for the weights of the head.

    Raises:
        ValueError: The teacher has no block of this resolution.
    """
    blocks = int(math.log2(max(resolution, 1))) - 2
    if resolution != 4 << max(blocks, 1) or blocks >= len(teacher.shape.channels):
        largest = 2 << len(teacher.shape.channels)
        raise ValueError(f"resolution must be a power of 2 from 8 to {largest}, got {resolution}")
    shape = replace(teacher.shape, channels=teacher.shape.channels[: blocks + 1], bands=3)
    student = MobileStyleGAN(shape, name=name, fingerprint=teacher.fingerprint)
    # The head is new: its shape depends on the number of styles that the blocks leave over.
    shared = {name for name in student.state_dict() if not name.startswith("synthesis.to_rgb.")}
    student.load_state_dict({n: t for n, t in teacher.state_dict().items() if n in shared}, strict=False)
    head = student.synthesis.to_rgb
    for weight in (head.affine.weight, head.conv.weight):
        nn.init.normal_(weight, std=SPREAD, generator=randomness)
    nn.init.constant_(head.affine.bias, 1 / head.gain)  # styles scale channels: all start near 1
    if head.conv.bias is not None:
        nn.init.zeros_(head.conv.bias)
    return student.requires_grad_(False)


def begin_with(student: MobileStyleGAN, other: Generator) -> None:
    """Copy the weights of a trained student into a student.

    Raises:
        UserError: The other one has other sizes or another latent space.
    """
    if not isinstance(other, MobileStyleGAN) or (other.shape, other.fingerprint) != (
        student.shape,
        student.fingerprint,
    ):
        raise UserError(f"{other.name}: cannot start from it, it is not such a student of the same teacher")
    student.load_state_dict(other.state_dict())


def trainable(student: MobileStyleGAN, blocks: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Unfreeze the student's last blocks and its head; returns the parameters of both, by name.

    The noise stays frozen: in a trial, learned noise maps slowed down all other learning.
    """
    names = [f"synthesis.blocks.{len(student.synthesis.blocks) - 1 - i}." for i in range(blocks)]
    parameters = {n: p for n, p in student.named_parameters() if not n.endswith(".noise")}
    trunk = {n: p.requires_grad_() for n, p in parameters.items() if n.startswith(tuple(names))}
    head = {n: p.requires_grad_() for n, p in parameters.items() if n.startswith("synthesis.to_rgb.")}
    return trunk, head

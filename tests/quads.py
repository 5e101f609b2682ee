"""Quads of all kinds, and a picture to crop them out of, as arrays."""

import numpy as np

from latentloop.pixels import Pixels
from latentloop.runtime.arrays import Doubles


def square(x: float, y: float, half: float, angle: float) -> Doubles:
    """The quad of a square about (x, y), turned clockwise by an angle in degrees."""
    along = half * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    down = np.array([-along[1], along[0]])
    return np.stack([np.array([x, y]) + i * along + j * down for i, j in ((-1, -1), (-1, 1), (1, 1), (1, -1))])


QUADS = {
    "within": square(150, 110, 60, 10),
    "upside down": square(150, 110, 71.3, 180),
    "over an edge": square(60, 100, 80, -20),
    "over two edges": square(20, 190, 80, -40),
    "beyond all edges": square(150, 100, 260, 10),
    "of a few pixels": square(150, 110, 4.2, 45),
}


def picture(height: int = 220, width: int = 300) -> Pixels:
    """Waves and noise, other ones in each colour."""
    y, x = np.mgrid[:height, :width] / 9
    waves = np.stack([np.sin(x), np.cos(y), np.sin((x + y) / 2)], axis=-1) * 80 + 128
    return (waves + np.random.default_rng(0).uniform(-40, 40, waves.shape)).clip(0, 255).astype(np.uint8)

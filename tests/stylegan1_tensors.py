"""A StyleGAN1 as TensorFlow's names and layouts have it."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Z_DIM, W_DIM, DEPTH = 5, 6, 3


def variables(channels: tuple[int, ...], *, last_width: int = W_DIM) -> dict[str, Array]:
    """Random values."""
    widths = [Z_DIM, 7, 7, last_width]
    shapes: dict[str, tuple[int, ...]] = {"dlatent_avg": (W_DIM,)}
    for i in range(DEPTH):
        shapes |= {f"mapping/Dense{i}/weight": (widths[i], widths[i + 1]), f"mapping/Dense{i}/bias": (widths[i + 1],)}
    for level, width in enumerate(channels):
        size, before = 4 << level, channels[max(level - 1, 0)]
        scope, lod = f"synthesis/{size}x{size}", len(channels) - 1 - level
        first, second = ("Conv0_up", "Conv1") if level else ("Const", "Conv")
        shapes[f"{scope}/{first}/weight"] = (3, 3, before, width)
        shapes[f"{scope}/{second}/weight"] = (3, 3, width, width)
        for k, layer in enumerate((first, second)):
            shapes[f"{scope}/{layer}/bias"] = shapes[f"{scope}/{layer}/Noise/weight"] = (width,)
            shapes[f"{scope}/{layer}/StyleMod/weight"] = (W_DIM, 2 * width)
            shapes[f"{scope}/{layer}/StyleMod/bias"] = (2 * width,)
            shapes[f"synthesis/noise{2 * level + k}"] = (1, 1, size, size)
        shapes |= {f"synthesis/ToRGB_lod{lod}/weight": (1, 1, width, 3), f"synthesis/ToRGB_lod{lod}/bias": (3,)}
    del shapes["synthesis/4x4/Const/weight"]
    shapes |= {"synthesis/4x4/Const/const": (1, channels[0], 4, 4), "synthesis/lod": (), "lod": ()}
    randomness = np.random.default_rng(0)
    # Training divides the mapping network's values by its learning-rate multiplier.
    scale = {name: 100 if name.startswith("mapping/") else 0 if name.endswith("lod") else 1 for name in shapes}
    return {name: np.array(scale[name] * randomness.standard_normal(shape)) for name, shape in shapes.items()}

"""Defaults that the library and the command line share; here, where reading them needs no PyTorch."""

from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]
"""Of drawing."""

Which = Literal["g_ema", "g"]
"""The running mean of a generator's weights, which draws best, or the generator as it was trained."""
NoiseMode = Literal["const", "random", "none"]
"""Noise maps of StyleGAN 1 and 2: those in the generator's file, new ones, or none."""

GENERATOR = "mobile-ffhq-1024"
QUICK_GENERATOR = "mobile-ffhq-256"
"""Of the same codes."""
SHIPPED_GENERATORS = (QUICK_GENERATOR, GENERATOR)
"""Names of the generators in the package: the keys of `generators.registry.SHIPPED`."""
SHIPPED_EMBEDDERS = ("small-ffhq",)
"""Names of the embedding networks in the package: the keys of `encoders.embedder_file.SHIPPED`."""
MAX_PIXELS = 100_000_000
"""Larger photos are refused unless the caller says otherwise."""
SAMPLE_PSI = 0.7
"""Truncation of a random start."""
EXPRESSION_LAYERS = "2-5"
"""Of a code, that carry expression: of the ranges tried they move most of it for the identity that is lost."""

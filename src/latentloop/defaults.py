"""Defaults that the library and the command line share; a module of its own, so that reading them needs no PyTorch."""

from typing import Literal

Precision = Literal["auto", "float32", "bfloat16"]
"""Precision of image synthesis; auto is bfloat16 if the device computes it natively, else float32."""

Which = Literal["g_ema", "g"]
"""Generator of a training run: g_ema, the running mean of the weights, which draws best, or g, the raw weights."""
NoiseMode = Literal["const", "random", "none"]
"""Noise maps of StyleGAN 1 and 2: const for those in the generator's file, random for new ones, or none."""
Mask = Literal["change", "face", "square"]
"""Part of the aligned square that is pasted into a photo, with soft edges. change: the part of the head that the edit
changed; face: the whole head; square: the whole square."""

GENERATOR = "mobile-ffhq-1024"
"""Name of the default generator."""
QUICK_GENERATOR = "mobile-ffhq-256"
"""A faster generator with the same latent space, of 256 pixels."""
SHIPPED_GENERATORS = (QUICK_GENERATOR, GENERATOR, "mobile-ffhq-1024-v1")
"""Names of the generators in the package: the keys of `generators.registry.SHIPPED`."""
SHIPPED_EMBEDDERS = ("base-ffhq",)
"""Names of the embedding networks in the package: the keys of `encoders.embedder_file.SHIPPED`."""
WORKING_SIZE = 256
"""Resolution at which codes are optimized, in pixels; smaller generators use their own resolution."""
MAX_PIXELS = 100_000_000
"""Largest number of pixels of a photo, unless the caller sets another limit."""
SAMPLE_PSI = 0.7
"""Truncation psi of a random starting code."""
EXPRESSION_LAYERS = "2-5"
"""Layers that carry the expression: of the ranges that transfer nearly all of a smile, they lose least identity."""

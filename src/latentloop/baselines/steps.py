"""Numbers of steps of the earlier methods, as published; a module of its own, so that reading them needs no PyTorch."""

PROJECTOR = 1000
"""Steps of NVIDIA's projector."""
STYLEGAN_ENCODER = 100
"""Steps of StyleGAN-Encoder."""
STYLES, NOISE = 5000, 3000
"""Steps of Image2StyleGAN, and those on the noise maps that follow in Image2StyleGAN++."""
PIVOT, TUNING = 450, 350
"""Steps of PTI's projector, and those on the weights that follow."""
COARSE, FEATURES, WEIGHTS = 40, 100, 50
"""Steps of DHR's coarse inversion in W, those on the features that follow, and how many of these tune weights, too."""

"""Settings of faces; kept apart so that reading them needs no PyTorch."""

from typing import Literal

Blend = Literal["feather", "poisson"]
"""How a pasted face meets the photo around it; `paste_back` tells what each does."""

"""Settings of faces; kept apart so that reading them needs no PyTorch."""

from typing import Literal

Blend = Literal["feather", "poisson"]
"""Method of blending a pasted face into the photo around it; see `paste_back`."""

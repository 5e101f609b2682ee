"""Edits of codes: interpolation, style mixing, expression transfer, and directions of attributes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Codes: sampling random ones, and reading and writing those of photos."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Codes of very many photos: an engine that reads, embeds and writes them in parallel, and goes on where it stopped."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

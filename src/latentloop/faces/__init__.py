"""Faces in photos: detection, FFHQ alignment, and pasting an aligned face back into its photo."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

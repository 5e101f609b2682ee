"""Find the StyleGAN code of a photo, and edit the photo through it.

Importing this package is quick: its parts, and PyTorch, are imported when they are first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

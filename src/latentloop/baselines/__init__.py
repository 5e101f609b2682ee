"""Earlier inversion methods to compare with; each is a refiner of codes with its published defaults."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Inversion and editing of photos without PyTorch: ONNX Runtime, NumPy and Pillow on exported networks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

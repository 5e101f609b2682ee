"""Records of embedded faces in Parquet files, as `latentloop bulk` writes them: schema, reading and search."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

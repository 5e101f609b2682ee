"""Photo editing: change a face through its code and paste it back into its photo or video."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

"""Find the StyleGAN code of a photo, and edit the photo through its code.

Importing this package is quick: its modules, and PyTorch, are imported when they are first used.
"""

import lazy_loader

_part, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    try:
        return _part(name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        reason = f"latentloop.{name} needs PyTorch, which is not installed: pip install latentloop"
        raise ModuleNotFoundError(reason, name="torch") from error

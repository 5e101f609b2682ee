"""Limit on the number of pixels that Pillow decodes."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Condition

from PIL import Image


class PixelLimit:
    """Pillow's pixel limit, and suppressed warnings, while images are decoded.

    Pillow checks the limit before decoding. The limit and the warning filters are settings of the whole process:
    threads with the same limit share them, others wait.
    """

    def __init__(self) -> None:
        self._changed, self._users, self._pixels = Condition(), 0, 0
        self._settings = ExitStack()

    @contextmanager
    def of(self, max_pixels: int) -> Iterator[None]:
        """Set the limit for the duration of a context; waits while other threads use another limit."""
        with self._changed:
            self._changed.wait_for(lambda: not self._users or self._pixels == max_pixels)
            if not self._users:
                self._set(max_pixels)
            self._users += 1
        try:
            yield
        finally:
            with self._changed:
                self._users -= 1
                if not self._users:
                    self._settings.close()
                    self._changed.notify_all()

    def _set(self, max_pixels: int) -> None:
        self._settings.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = self._pixels = max_pixels
        self._settings.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # about damaged EXIF data and the like, which users cannot act on
        warnings.simplefilter("error", Image.DecompressionBombWarning)


pixel_limit = PixelLimit()
"""The pixel limit of this process."""

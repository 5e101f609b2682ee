"""HTML of the page: sentences, and pictures embedded as data, so that no file holds them."""

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from latentloop.images import jpeg_bytes, resize

LONGEST_SIDE = 1600
"""Largest width or height of a photo on the page, in pixels; downloads have full size."""
QUALITY = 92
"""JPEG quality of pictures on the page."""


def jpeg(image: Tensor) -> bytes:
    """Encode an image (1, 3, H, W) in [-1, 1], scaled down for the page."""
    height, width = image.shape[-2:]
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    if scale < 1:
        image = resize(image, max(round(scale * height), 1), max(round(scale * width), 1))
    return jpeg_bytes(image, quality=QUALITY)


def picture(image: Tensor, what: str) -> str:
    """Format a picture as HTML.

    Args:
        image: Image (1, 3, H, W) in [-1, 1].
        what: Description for people who cannot see it.
    """
    content = base64.b64encode(jpeg(image)).decode()
    return f'<img class="ll-picture" alt="{html.escape(what, quote=True)}" src="data:image/jpeg;base64,{content}">'


def row_of_faces(images: Sequence[Tensor], names: Sequence[str]) -> str:
    """Format small pictures side by side as HTML.

    Args:
        images: Images (1, 3, S, S) in [-1, 1].
        names: Caption of each.
    """
    captions = [f"<figcaption>{html.escape(name)}</figcaption>" for name in names]
    pictures = [picture(image, name) for image, name in zip(images, names, strict=True)]
    tiles = [f"<figure>{one}{caption}</figure>" for one, caption in zip(pictures, captions, strict=True)]
    return f'<div class="ll-row">{"".join(tiles)}</div>'


def animation(path: Path, what: str) -> str:
    """Format an animation, a .gif or an .mp4, as HTML.

    Args:
        path: File of the animation.
        what: Description for people who cannot see it.
    """
    content, label = base64.b64encode(path.read_bytes()).decode(), html.escape(what, quote=True)
    if path.suffix == ".gif":
        return f'<img class="ll-picture" alt="{label}" src="data:image/gif;base64,{content}">'
    shown = f'src="data:video/mp4;base64,{content}" aria-label="{label}"'
    return f'<video class="ll-picture" controls loop muted autoplay playsinline {shown}></video>'


def empty(text: str) -> str:
    """Format a sentence in the place of a picture as HTML."""
    return f'<div class="ll-empty">{html.escape(text)}</div>'


def status(text: str) -> str:
    """Format a sentence that screen readers announce as HTML."""
    return f'<p class="ll-status" role="status" aria-live="polite">{html.escape(text)}</p>'


def progress(done: int, steps: int) -> str:
    """Format the progress of a search as HTML that screen readers do not announce."""
    return f'<p class="ll-status">Step {done} of {steps}: coming closer.</p>'


def described(strengths: Mapping[str, float]) -> str:
    """Describe an edit, such as "smile +1, age -0.5"."""
    return ", ".join(f"{name} {strength:+g}" for name, strength in strengths.items()) or "not edited"

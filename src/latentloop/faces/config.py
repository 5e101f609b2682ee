"""Settings of faces; kept apart so that reading them needs no PyTorch."""

import math
from typing import Literal

Blend = Literal["feather", "poisson"]
"""Method of blending a pasted face into the photo around it; see `paste_back`."""
SUPERSAMPLING = 4
"""Samples per pixel of the aligned image along a side, as in FFHQ."""
DENSE = 2.5
"""Samples per pixel of the photo along a side beyond which more show nothing new: on average they change the image by a
twentieth of one of 255 levels."""
DENSITY = 1.5
"""Most pixels of the face per pixel of the photo, along a side. With fewer, a crop that comes back unchanged is softer
than the photo was; with more, hair and skin are drawn with jagged edges, which shimmer in a video."""
FACE_WIDTH = 0.88
"""Width of the ellipse around a face as a share of the quad's side, which is its height. A narrower one cuts through
hair, a wider one brings in background, which generators draw in other colours."""
ALIKE, NEIGHBOURS = 0.1, 9
"""Colour difference, averaged over a square of `NEIGHBOURS` pixels, below which a face keeps most of the photo's finer
detail. With a larger one the edges of what was changed show through, with a smaller one a face is smoother than its
photo."""
CHANGE_SIZE = 128
"""Pixels of the side at which faces are compared."""
NONE, FULL = 0.05, 0.15
"""Colour differences, in units of [-1, 1], up to which a pixel is unchanged and from which it is changed in full."""
REACH, SOFT = 9, 17
"""Pixels, odd, by which the changed region is widened, and over which its edge is softened; of `CHANGE_SIZE`."""
CERTAIN = 0.999
"""Face probability from which a face that is not tilted is taken for what it is."""
LEAST_TURNED = 0.99
"""Least face probability in a turned photo."""
TILTED = math.radians(30)
"""Angle of the eyes beyond which another turn of the photo may suit better; half of it calls for a second look."""
ADVANTAGE = 3.0
"""Advantage of the photo as it is given, in log-odds."""
LOOKED_AT = 256
"""Pixels of an aligned face's side when it is looked at a second time."""
SUREST = 1 - 1e-5
"""Face probability beyond which differences say nothing."""
INPUT_SIZE = 112
"""Side of the input of face-recognition networks, in pixels."""
CROP_ROWS, CROP_COLUMNS = slice(35, 223), slice(32, 220)
"""Crop that pSp (arXiv:2008.00951) takes from an FFHQ-aligned image of 256 pixels for them."""

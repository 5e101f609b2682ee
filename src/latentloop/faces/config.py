"""Constants of face processing; a module of its own, so that reading them needs no PyTorch."""

import math
from typing import Literal

Blend = Literal["feather", "poisson"]
"""Method of blending a pasted face into the photo around it; see `paste_back`."""
SUPERSAMPLING = 4
"""Largest number of samples per pixel of the aligned image along a side, as in FFHQ."""
DENSE = 2.5
"""Samples per pixel of the photo along a side that are enough: more change the image by a twentieth of one of 255
levels on average."""
DENSITY = 1.5
"""Largest number of face pixels per photo pixel along a side, when pasting. With fewer, an unchanged crop comes back
softer than the photo; with more, hair and skin get jagged edges, which shimmer in a video."""
FACE_WIDTH = 0.88
"""Width of the ellipse around a face, relative to its height, which is the quad's side. A narrower one cuts through
hair; a wider one includes background, which generators draw in other colours."""
ALIKE, NEIGHBOURS = 0.1, 9
"""Colour difference, averaged over a square of `NEIGHBOURS` pixels, at which a face keeps 1/e of the photo's finer
detail. With a larger value, edges of changed regions show through; with a smaller one, a face is smoother than its
photo."""
CHANGE_SIZE = 128
"""Side at which faces are compared, in pixels."""
NONE, FULL = 0.05, 0.15
"""Colour differences, in units of [-1, 1], up to which a pixel counts as unchanged and from which it counts as fully
changed."""
REACH, SOFT = 9, 17
"""Sides of the windows that widen the changed region and soften its edge, odd, in pixels of `CHANGE_SIZE`."""
CERTAIN = 0.999
"""Face probability from which an upright face is accepted without trying other orientations."""
LEAST_TURNED = 0.99
"""Lowest face probability that is accepted in a rotated photo."""
TILTED = math.radians(30)
"""Angle of the eyes' axis beyond which other orientations are tried; beyond half of it, landmarks are found again."""
ADVANTAGE = 3.0
"""Bonus of the photo's given orientation, in log-odds."""
LOOKED_AT = 256
"""Side of the aligned image in which a face is detected a second time, in pixels."""
SUREST = 1 - 1e-5
"""Cap on face probabilities: above it differences carry no information."""
INPUT_SIZE = 112
"""Side of the input of face-recognition networks, in pixels."""
CROP_ROWS, CROP_COLUMNS = slice(35, 223), slice(32, 220)
"""Crop of an FFHQ-aligned image of 256 pixels for face recognition, as in pSp (arXiv:2008.00951)."""

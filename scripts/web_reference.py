"""Write what PyTorch makes of small images, for the tests of the browser page's own geometry (web/tests).

python scripts/web_reference.py web/tests/reference.json
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.editing import Direction, conditional
from latentloop.faces import changed, paste_back
from latentloop.faces.alignment import crop_quad, ffhq_quad
from latentloop.faces.detection import non_maximum_suppression
from latentloop.images import from_uint8, resize

HEIGHT, WIDTH, SIZE = 40, 48, 12
LANDMARKS = {
    "inside": [[20.0, 17.0], [26.5, 16.0], [23.0, 20.0], [20.5, 23.0], [26.0, 22.5]],
    "across the border": [[6.0, 12.0], [14.0, 9.0], [11.0, 16.0], [9.0, 21.0], [15.0, 19.0]],
    "larger than the photo": [[14.0, 12.0], [33.0, 15.0], [22.0, 22.0], [14.0, 32.0], [30.0, 34.0]],
}


def rounded(values: Tensor) -> list[float]:
    """Numbers of a tensor in order, with five decimals."""
    return [round(value, 5) for value in values.flatten().tolist()]


def smooth_photo(random: torch.Generator) -> Tensor:
    """A photo (1, 3, H, W) of 8 bits with some shapes, which noise alone has not."""
    coarse = torch.rand(1, 3, 10, 12, generator=random)
    photo = torch.nn.functional.interpolate(coarse, (HEIGHT, WIDTH), mode="bicubic").clamp(0, 1)
    pixels = (255 * photo[0].permute(1, 2, 0)).round().to(torch.uint8)
    return from_uint8(pixels.numpy())


def edit_of(face: Tensor) -> Tensor:
    """A face (1, 3, 128, 128) with a pattern in its middle, which the tests make, too."""
    channel, y, x = torch.meshgrid(torch.arange(3), torch.arange(40), torch.arange(40), indexing="ij")
    edited = face.clone()
    edited[0, :, 50:90, 80:120] += (5 * channel + 3 * y + 7 * x) % 11 / 22
    return edited.clamp(-1, 1)


def aligned(photo: Tensor, landmarks: list[list[float]]) -> dict[str, Any]:
    """What becomes of a face: its quad, crops, the mask of an edit, and the photo with it."""
    quad = ffhq_quad(torch.tensor(landmarks))
    small, face = crop_quad(photo, quad, SIZE), crop_quad(photo, quad, 128)
    edited = edit_of(face)
    where = changed(face, edited)
    pasted = paste_back(photo, edited, quad, cut_out=face, where=where)
    return {
        "landmarks": landmarks,
        "quad": rounded(quad),
        "crop": rounded(small),
        "tiny": rounded(crop_quad(photo, quad, 3)),  # shrinks the photo first
        "changed": rounded(where[0, 0, ::8, ::8]),
        "pasted": [round(value) for value in ((pasted + 1) * 127.5).flatten().tolist()],
    }


def boxes(random: torch.Generator) -> dict[str, Any]:
    """Random boxes, and the indices of those that are kept."""
    corners = 40 * torch.rand(30, 2, generator=random)
    found = torch.cat([corners, corners + 5 + 20 * torch.rand(30, 2, generator=random)], dim=1)
    scores = torch.rand(30, generator=random)
    kept = {
        "union": non_maximum_suppression(found, scores, 0.4).tolist(),
        "smaller": non_maximum_suppression(found, scores, 0.4, of_smaller=True).tolist(),
    }
    return {"boxes": rounded(found), "scores": rounded(scores), **kept}


def directions(random: torch.Generator) -> dict[str, Any]:
    """Three directions, and what is left of the first where the others are kept."""
    layers = {"a": (0, 1, 2), "b": (1, 2, 3), "c": (0, 2)}
    vectors = {name: torch.randn(4, generator=random) for name in layers}
    all_three = [Direction(name, vectors[name], layers[name], 4, "", "") for name in layers]
    first, *others = all_three
    return {
        "layers": layers,
        "vectors": {name: rounded(vector) for name, vector in vectors.items()},
        "change": rounded(first.change()),
        "kept": rounded(conditional(first, others).change()),
    }


def main(path: Path) -> None:
    """Write everything to a file."""
    random = torch.Generator().manual_seed(0)
    photo = smooth_photo(random)
    reference = {
        "photo": [round(value) for value in ((photo[0].permute(1, 2, 0) + 1) * 127.5).flatten().tolist()],
        "resized": rounded(resize(photo, 13, 17)),
        "area": rounded(torch.nn.functional.interpolate(photo, (13, 17), mode="area")),
        "faces": {name: aligned(photo, landmarks) for name, landmarks in LANDMARKS.items()},
        "suppression": boxes(random),
        "directions": directions(random),
    }
    path.write_text(json.dumps(reference))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

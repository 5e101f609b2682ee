"""Contact sheets, which show many images as one."""

import torch
import torch.nn.functional as F
from torch import Tensor


def contact_sheet(images: Tensor, columns: int) -> Tensor:
    """Arrange images (N, 3, S, S) row by row, as (1, 3, rows * S, columns * S); empty cells are white."""
    missing = -len(images) % columns
    tiles = F.pad(images, (0, 0, 0, 0, 0, 0, 0, missing), value=1.0)
    rows = [torch.cat(list(row), dim=2) for row in tiles.split(columns)]
    return torch.cat(rows, dim=1)[None]

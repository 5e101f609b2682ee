import pytest
import torch

from latentloop.pictures.sheet import contact_sheet

WHITE = 1.0


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (5, 2), (4, 3), (2, 4), (6, 3)])
def test_image_i_lies_in_row_i_over_columns_and_the_rest_is_white(count: int, columns: int) -> None:
    size = 2
    images = torch.arange(count * 3 * size * size).reshape(count, 3, size, size) / 1000
    sheet = contact_sheet(images, columns)
    rows = (count + columns - 1) // columns
    assert sheet.shape == (1, 3, rows * size, columns * size)
    for place in range(rows * columns):
        y, x = place // columns * size, place % columns * size
        tile = sheet[0, :, y : y + size, x : x + size]
        expected = images[place] if place < count else torch.full((3, size, size), WHITE)
        assert torch.equal(tile, expected)

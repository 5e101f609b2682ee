"""A floor under what users get: the default pipeline on one sample photo."""

from pathlib import Path

import pytest

import latentloop as ll

PHOTO = Path(__file__).parents[1] / "examples" / "photos" / "female-1.jpg"


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_twenty_five_default_steps_come_close_to_a_sample_photo(device: str) -> None:
    # On two CPU cores in float32, 27 November 2026: LPIPS .195 in one pass, .083 after 25 steps, ID .785. The margins
    # are a fifth of the way that the steps go, and more than another precision or device changes.
    found = ll.load(device=device).invert(PHOTO, steps=25)
    assert found.metrics["lpips_alex"] < 0.105
    assert found.metrics["id"] > 0.72

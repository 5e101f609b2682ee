import pytest
import torch

from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.latents import sample_codes
from latentloop.photo_editing.direction_options import DirectionOptions
from latentloop.photo_editing.direction_search import (
    STRENGTHS,
    draw_rows,
    find_directions,
    find_unsupervised,
    sheet,
)


@pytest.mark.parametrize(("count", "samples", "most"), [(9, 100, 8), (8, 8, 7), (0, 100, 8)])
def test_more_directions_than_there_are_are_refused(float_toy: Generator, count: int, samples: int, most: int) -> None:
    problem = f"{samples} samples of toy-32 have 1 to {most} directions, got {count}"
    with pytest.raises(UserError, match=problem) as caught:
        find_unsupervised(float_toy, "ganspace", count=count, layers="all", samples=samples, seed=0)
    assert caught.value.arguments == ("count",)


def test_a_seed_finds_the_same_directions(float_toy: Generator) -> None:
    first, again, other = (
        find_unsupervised(float_toy, "ganspace", count=2, layers="0-1", samples=50, seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(first[0].vector, again[0].vector)
    assert not torch.equal(first[0].vector, other[0].vector)
    assert first[0].layers == (0, 1)


def test_rows_show_each_strength_of_each_direction_on_each_face(float_toy: Generator) -> None:
    directions = find_unsupervised(float_toy, "ganspace", count=3, layers="all", samples=50, seed=1)
    rows = list(draw_rows(float_toy, directions, faces=2, seed=5))
    assert len(rows) == 6
    faces = sample_codes(float_toy, 2, randomness=torch.Generator().manual_seed(5), truncation_psi=0.7)
    for i, row in enumerate(rows):
        for strength, image in zip(STRENGTHS, row, strict=True):
            code = faces[i % 2] + strength * directions[i // 2].vector
            torch.testing.assert_close(image, float_toy.synthesis(code[None]))
    picture = sheet(rows, directions)
    assert picture.shape[2] > 6 * 128
    assert picture.shape[3] > 7 * 128


def test_options_choose_the_method(float_toy: Generator) -> None:
    options = DirectionOptions(method="ganspace", count=2, layers="0-1", samples=50)
    found = find_directions(float_toy, options, seed=1)
    expected = find_unsupervised(float_toy, "ganspace", count=2, layers="0-1", samples=50, seed=1)
    assert [one.name for one in found] == ["pc0", "pc1"]
    assert torch.equal(found[0].vector, expected[0].vector)

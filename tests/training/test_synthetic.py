import pytest
import torch

from latentloop.generators import Generator
from latentloop.training.synthetic import POOL, Synthetic


def test_each_image_is_given_out_as_often_as_asked_and_in_new_company(float_toy: Generator) -> None:
    synthetic = Synthetic(float_toy, 32, batch=3, repeats=4, seed=5)
    steps = [synthetic.of_step(step).w_plus for step in range(4 * POOL)]
    codes, counts = torch.cat(steps).flatten(1).unique(dim=0, return_counts=True)
    assert len(codes) == 3 * POOL
    assert counts.tolist() == [4] * (3 * POOL)
    first = {code.numpy().tobytes() for code in steps[0]}
    again = [step for step in steps[POOL:] if any(code.numpy().tobytes() in first for code in step)]
    assert len(again) > 3  # its three images come one by one
    later = synthetic.of_step(4 * POOL).w_plus
    assert not any(code.numpy().tobytes() in {c.numpy().tobytes() for c in codes} for code in later.flatten(1))


def test_images_are_those_of_their_codes(float_toy: Generator) -> None:
    synthetic = Synthetic(float_toy, 16, batch=2, repeats=3, seed=0)
    for step in (0, 1, POOL + 3):
        w_plus, images = synthetic.of_step(step)
        torch.testing.assert_close(images, float_toy.synthesis(w_plus, resolution=16))


@pytest.mark.parametrize("repeats", [1, 2])
def test_a_step_gets_the_same_whenever_it_comes(float_toy: Generator, repeats: int) -> None:
    """As in a run that goes on from there."""
    through = Synthetic(float_toy, 32, batch=2, repeats=repeats, seed=0)
    told = [through.of_step(step) for step in range(2 * POOL + 2)]
    for step in (1, POOL + 1, 2 * POOL + 1):
        assert torch.equal(Synthetic(float_toy, 32, 2, repeats, 0).of_step(step).images, told[step].images)


@pytest.mark.parametrize("repeats", [1, 3])
def test_processes_share_what_one_gets(float_toy: Generator, repeats: int) -> None:
    one = Synthetic(float_toy, 32, batch=5, repeats=repeats, seed=0)
    two = [Synthetic(float_toy, 32, 5, repeats, 0, share=slice(i, None, 2)) for i in (0, 1)]
    for step in (0, 1, POOL, POOL + 7):
        whole = one.of_step(step).images
        parts = [part.of_step(step).images for part in two]
        torch.testing.assert_close(torch.cat([whole[0::2], whole[1::2]]), torch.cat(parts))


def test_there_may_be_none(float_toy: Generator) -> None:
    w_plus, images = Synthetic(float_toy, 16, batch=0, repeats=2, seed=0).of_step(3)
    assert (tuple(w_plus.shape), tuple(images.shape)) == ((0, 4, 8), (0, 3, 16, 16))

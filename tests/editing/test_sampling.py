import pytest
import torch

from latentloop.editing import sample_w, sampling
from latentloop.errors import UserError
from latentloop.generators import Generator, stylegan1
from latentloop.latents import sample_codes


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_samples_are_the_styles_of_random_codes_whatever_the_batch(
    toy: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sample_codes(toy, 5, randomness=seeded())[:, 0]
    assert torch.equal(sample_w(toy, 5, seeded()), expected)
    monkeypatch.setattr(sampling, "BATCH", 2)
    w = sample_w(toy, 5, seeded())
    assert w.shape == (5, 8)
    assert torch.equal(w, sample_w(toy, 5, seeded()))


def test_a_generator_with_a_style_for_each_layer_has_no_w() -> None:
    shape = stylegan1.Shape(mapping=(8, 16), channels=(4,), layerwise=True)
    generator = stylegan1.StyleGAN1(shape, name="layerwise", fingerprint="0")
    with pytest.raises(UserError, match="layerwise: its mapping network returns one style per layer"):
        sample_w(generator, 2, seeded())

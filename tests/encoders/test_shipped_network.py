import pytest
import torch

from latentloop.encoders import load_embedder
from latentloop.encoders.embedder_file import SHIPPED, shipped_embedder
from latentloop.features.lpips import load_lpips
from latentloop.generators import load_generator
from latentloop.latents import mean_code, sample_codes


@pytest.mark.parametrize("generator_name", ["mobile-ffhq-256", "mobile-ffhq-1024"])
def test_one_pass_of_the_shipped_network_is_far_better_than_the_mean_code(generator_name: str) -> None:
    """On faces that it has not seen, drawn by the generators that it ships for."""
    generator = load_generator(generator_name)
    name = shipped_embedder(generator)
    assert name == "base-ffhq"
    codes = sample_codes(generator, 4, randomness=torch.Generator().manual_seed(7), truncation_psi=0.8)
    with torch.inference_mode():
        target = generator.synthesis(codes, resolution=256)
        found = load_embedder(name, generator)(target)
        drawn, average = (generator.synthesis(w, resolution=256) for w in (found, mean_code(generator, 4)))
        lpips = load_lpips()
        ours, theirs = lpips(drawn, target), lpips(average, target)
    assert (ours < 0.85 * theirs).all()
    assert ours.mean() < 0.7 * theirs.mean()
    assert ours.mean() < 0.3


def test_shipped_networks_are_small_enough_to_ship() -> None:
    for one in SHIPPED.values():
        assert one.file.path.stat().st_size < 20_000_000

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from conftest import PHOTOS
from feature_encoders import CONFIG, feature_encoder, small_mobile
from latentloop.errors import UserError
from latentloop.features.lpips import load_lpips
from latentloop.generators import MobileStyleGAN, load_generator, refined, seamed
from latentloop.generators.haar import inverse_haar
from latentloop.images import read_image, resample
from latentloop.inversion import Comparison, FeatureEncoder, FeatureRefiner
from latentloop.inversion.feature_encoder_file import (
    NAME,
    SHIPPED,
    find_feature_encoder,
    read_feature_encoder,
    save_feature_encoder,
)
from latentloop.losses import pixel_loss, toward
from latentloop.weights import WeightsFile, write_ours
from random_networks import random_codes, random_images, random_network

Damage = Callable[[dict[str, Tensor], dict[str, Any]], object]


@pytest.fixture
def generator() -> MobileStyleGAN:
    return small_mobile()


@pytest.fixture
def encoder(generator: MobileStyleGAN) -> FeatureEncoder:
    return feature_encoder(generator)


@pytest.mark.parametrize("seam", [4, 8, 16])
def test_scales_are_those_with_which_the_next_layer_sees_features(generator: MobileStyleGAN, seam: int) -> None:
    w_plus, seen = random_codes(generator), []
    midway = generator.synthesis.begin(w_plus, seam)
    block = generator.synthesis.blocks[{4: 0, 8: 1, 16: 2}[seam]]
    assert isinstance(block.conv1, torch.nn.Module)
    with block.conv1.get_submodule("conv").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0])):
        generator.synthesis.finish(midway, w_plus)
    scales = generator.synthesis.scales(w_plus, seam)[:, :, None, None]
    torch.testing.assert_close(seen[0], inverse_haar(midway.features * scales))


def test_after_the_last_seam_there_is_no_layer_to_ask(generator: MobileStyleGAN) -> None:
    with pytest.raises(ValueError, match="seam must be one of 4, 8, 16, got 32"):
        generator.synthesis.scales(random_codes(generator), 32)


def test_an_encoder_that_learned_nothing_changes_nothing(generator: MobileStyleGAN) -> None:
    codes, target = random_codes(generator), random_images(generator)
    midway = generator.synthesis.begin(codes, CONFIG.seam)
    untrained = FeatureEncoder(CONFIG, weights="")
    assert not untrained.change(generator.synthesis, target, codes, midway).any()


def test_it_looks_twice_at_what_its_change_leaves(generator: MobileStyleGAN, encoder: FeatureEncoder) -> None:
    codes, target = random_codes(generator), random_images(generator)
    synthesis, small = generator.synthesis, resample(random_images(generator), 32)
    midway = synthesis.begin(codes, CONFIG.seam)
    sight = encoder.sight(synthesis, codes, midway.features)
    first = encoder(small, synthesis.finish(midway, codes, resolution=32), midway.features, sight)
    assert first.abs().mean() > 0.01
    spread = midway.features.std(dim=(2, 3), keepdim=True)
    later = replace(midway, features=midway.features + spread * first)
    second = encoder(small, synthesis.finish(later, codes, resolution=32), later.features, sight)
    torch.testing.assert_close(encoder.change(synthesis, target, codes, midway), first + second)


def test_each_code_is_seen_in_units_of_its_own(generator: MobileStyleGAN, encoder: FeatureEncoder) -> None:
    codes = random_codes(generator)
    midway = generator.synthesis.begin(codes, CONFIG.seam)
    sight = encoder.sight(generator.synthesis, codes, midway.features)
    torch.testing.assert_close((midway.features * sight.seen).square().mean(dim=(1, 2, 3)), torch.ones(2))
    assert torch.equal(sight.gain.sign(), generator.synthesis.scales(codes, CONFIG.seam)[:, :, None, None].sign())
    torch.testing.assert_close(sight.styles, (codes[:, -3:] - generator.latent_avg).flatten(1))


def test_a_refinement_begins_with_the_prediction(generator: MobileStyleGAN, encoder: FeatureEncoder) -> None:
    codes, target = random_codes(generator), random_images(generator)
    midway = seamed(generator).begin(codes, CONFIG.seam)
    change = encoder.change(generator.synthesis, target, codes, midway)
    alone = FeatureRefiner(generator, Comparison(toward(pixel_loss)), 0, encoder=encoder).refine(target, codes)
    for one, own, features, w_plus in zip(alone.refinements, change, midway.features, codes, strict=True):
        assert one.residual is not None
        spread = features.std(dim=(1, 2), keepdim=True)
        torch.testing.assert_close(one.residual.features, spread * own, rtol=1e-3, atol=1e-4)  # stored in float16
        assert not torch.allclose(refined(generator, one).synthesis(w_plus[None]), generator.synthesis(w_plus[None]))
    later = FeatureRefiner(generator, Comparison(toward(pixel_loss)), 3, encoder=encoder).refine(target, codes)
    torch.testing.assert_close(later.losses[0], alone.losses[0])
    assert (later.losses.amin(dim=0) < alone.losses[0]).all()


def test_an_encoder_of_another_seam_or_for_other_networks_is_refused(generator: MobileStyleGAN) -> None:
    codes, target = random_codes(generator), random_images(generator)
    other = FeatureEncoder(replace(CONFIG, seam=8), weights="")
    with pytest.raises(ValueError, match="the encoder changes features at 8, not at 16"):
        FeatureRefiner(generator, Comparison(toward(pixel_loss)), 0, encoder=other).refine(target, codes)
    network = random_network("stylegan2", double=False)
    images, own = random_images(network), FeatureEncoder(replace(CONFIG, seam=8), weights="")
    with pytest.raises(TypeError, match="two: its synthesis has no channel factors"):
        FeatureRefiner(network, Comparison(toward(pixel_loss)), 0, encoder=own).refine(images, random_codes(network))


def test_a_file_holds_an_encoder(generator: MobileStyleGAN, encoder: FeatureEncoder, tmp_path: Path) -> None:
    path = tmp_path / "features.safetensors"
    save_feature_encoder(path, encoder)
    found = read_feature_encoder(WeightsFile(path), generator)
    assert (found.config, found.weights) == (encoder.config, encoder.weights)
    for name, tensor in encoder.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], tensor, rtol=1e-3, atol=1e-4)
    assert not any(parameter.requires_grad for parameter in found.parameters())


DAMAGES: dict[str, tuple[str, Damage]] = {
    "a tensor": ("out.weight", lambda tensors, _: tensors.pop("out.weight")),
    "a shape": ("size mismatch", lambda tensors, _: tensors.update({"out.bias": torch.zeros(3)})),
    "another generator": ("it belongs to other weights", lambda _, about: about.update(weights="fedcba")),
    "no weights": ("weights", lambda _, about: about.pop("weights")),
    "a huge size": ("sizes", lambda _, about: about["config"].update(width=1 << 40)),
    "a negative size": ("sizes", lambda _, about: about["config"].update(depth=-1)),
    "a text": ("sizes", lambda _, about: about["config"].update(width="1")),
    "a name": ("unexpected keyword", lambda _, about: about["config"].update(colour=1)),
    "no sizes": ("mapping", lambda _, about: about.update(config=[1])),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_gets_one_line(
    generator: MobileStyleGAN, encoder: FeatureEncoder, tmp_path: Path, name: str
) -> None:
    reason, damage = DAMAGES[name]
    tensors, about = dict(encoder.state_dict()), {"config": asdict(encoder.config), "weights": encoder.weights}
    damage(tensors, about)
    path = tmp_path / "features.safetensors"
    write_ours(path, NAME, {name: tensor.contiguous() for name, tensor in tensors.items()}, about)
    with pytest.raises(UserError) as error:
        read_feature_encoder(WeightsFile(path), generator)
    assert str(error.value).startswith(f"{path}: no feature encoder of small (")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


def test_only_the_large_bundled_generator_has_one() -> None:
    assert find_feature_encoder(load_generator("mobile-ffhq-256")) is None
    for kind in ("mobilestylegan", "stylegan2"):
        assert find_feature_encoder(random_network(kind)) is None


@pytest.mark.skipif(not SHIPPED, reason="none is bundled")
def test_the_bundled_one_halves_the_error_of_a_photo_that_it_never_saw() -> None:
    generator = load_generator("mobile-ffhq-1024")
    encoder = find_feature_encoder(generator)
    assert isinstance(generator, MobileStyleGAN)
    assert encoder is not None
    assert encoder.sha256 == SHIPPED[encoder.weights].sha256
    photo = read_image(PHOTOS / "female-1.jpg")
    photo = resample(photo[..., : photo.shape[-1], :], 256)  # a square, not aligned: it learned what places need
    codes = generator.latent_avg.expand(1, generator.num_ws, -1)
    midway = generator.synthesis.begin(codes, encoder.config.seam)
    with torch.inference_mode():
        change = encoder.sight(generator.synthesis, codes, midway.features).spread * encoder.change(
            generator.synthesis, photo, codes, midway
        )
        before, after = (
            generator.synthesis.finish(replace(midway, features=midway.features + one), codes, resolution=256)
            for one in (torch.zeros(()), change)
        )
    assert pixel_loss(after, photo) < 0.5 * pixel_loss(before, photo)
    assert load_lpips("alex")(after, photo) < 0.75 * load_lpips("alex")(before, photo)

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from latentloop.baselines import HybridRefinement, Projector
from latentloop.baselines.dhr import FeatureChange, nearest_seam
from latentloop.errors import UserError
from latentloop.features.lpips import Lpips
from latentloop.generators import DrawnBy
from random_networks import Network, random_codes, random_images, random_network

STEPS, WEIGHT_STEPS = 4, 2


def make(network: Network, lpips: Lpips, **settings: Any) -> HybridRefinement:  # noqa: ANN401
    coarse = Projector(network, lpips, steps=3)
    return HybridRefinement(
        coarse, lpips, **{"steps": STEPS, "weight_steps": WEIGHT_STEPS, "threshold": 10, **settings}
    )


def test_its_path_is_that_of_the_published_loop(network: Network, lpips: Lpips) -> None:
    """Written out for one image as its program does it, with two optimizers of PyTorch on a copy."""
    target, start = random_images(network)[:1], random_codes(network, 1)
    method = make(network, lpips)
    found = method.refine(target, start)
    mask_ori = method.in_domain(target, target)
    assert 0 < mask_ori.mean() < 1
    tuned = copy.deepcopy(network).requires_grad_(requires_grad=True)
    for module in tuned.modules():
        setattr(module, "norms", None)  # noqa: B010 - what StyleGAN2's layers have prepared is of weights that stay
    seam = nearest_seam(network.synthesis)
    features = network.synthesis.begin(start, seam).features.detach().clone().requires_grad_()
    mask = F.adaptive_avg_pool2d(mask_ori, (features.shape[2], features.shape[3]))
    optimizer_f, optimizer = torch.optim.Adam([features], lr=9e-2), torch.optim.Adam(tuned.parameters(), lr=1.5e-3)
    losses = []
    for step in range(STEPS + 1):
        image = FeatureChange(seam, features, mask).draw(tuned.synthesis, start)
        squares, maps = F.mse_loss(image, target, reduction="none"), lpips.maps_toward(target)(image)
        losses.append((squares.mean() + lpips(image, target).sum()).detach())
        parts = []
        for m, m_ori in ((mask, mask_ori), (1 - mask, 1 - mask_ori)):
            sizes = [F.interpolate(m, one.shape[-2:]) for one in maps]
            perceptual = [
                (one * size).sum() / size.sum().clamp_min(1) for one, size in zip(maps, sizes, strict=True)
            ]  # a map may be of one place
            parts.append(torch.stack(perceptual).sum() + (squares * m_ori).sum() / m_ori.sum())
        if step == STEPS:
            break
        parameters = list(tuned.parameters())
        of_weights = torch.autograd.grad(parts[0], parameters, retain_graph=True, allow_unused=True)
        (features.grad,) = torch.autograd.grad(parts[1], features)
        optimizer_f.step()
        for parameter, gradient in zip(parameters, of_weights, strict=True):
            parameter.grad = gradient
        if step < WEIGHT_STEPS:
            optimizer.step()
    torch.testing.assert_close(found.losses[-STEPS - 1 :, 0], torch.stack(losses), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found.image, image.detach(), rtol=1e-2, atol=2e-2)
    assert torch.equal(found.w_plus, start)


def test_each_image_gets_a_generator_of_its_own_and_the_first_one_stays(network: Network, lpips: Lpips) -> None:
    target, start = random_images(network), random_codes(network)
    before, told = {name: one.clone() for name, one in network.state_dict().items()}, list[int]()
    method = make(network, lpips)
    found = method.refine(target, start, lambda step, _: told.append(step))
    assert told == [*range(4), *range(3, 8), *range(3, 8)]
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())
    for i, generator in enumerate(found.generators):
        torch.testing.assert_close(generator.synthesis(start[i : i + 1]), found.image[i : i + 1])
    alone = method.refine(target[1:], start[1:])
    torch.testing.assert_close(alone.losses, found.losses[:, 1:], rtol=1e-3, atol=1e-3)


def test_outside_the_domain_an_edit_changes_nothing_before_the_seam() -> None:
    network = random_network("mobilestylegan", double=False)
    seam, w_plus = nearest_seam(network.synthesis), random_codes(network)
    features, mask = network.synthesis.begin(w_plus[:1], seam).features, torch.zeros(1, 1, seam, seam)
    edited = w_plus[:1].clone()
    edited[:, :2] = w_plus[1:, :2]  # of layers before the seam
    same = FeatureChange(seam, features, mask).applied(network)
    torch.testing.assert_close(same.synthesis(edited), network.synthesis(w_plus[:1]))
    none = FeatureChange(seam, features, torch.ones_like(mask)).applied(network)
    torch.testing.assert_close(none.synthesis(edited), network.synthesis(edited))


def test_in_domain_is_what_is_drawn_well_within_a_head(lpips: Lpips) -> None:
    network = random_network("mobilestylegan", double=False)
    target = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(2)) * 2 - 1
    drawn = target.clone()
    drawn[..., :64] = -1  # its left half
    mask = make(network, lpips, threshold=0.7).in_domain(drawn, target)
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert mask[0, 0, 64, 90] == 1
    assert mask[0, 0, 64, 30] == 0
    assert mask[0, 0, 2, 126] == 0  # beside the head


def test_maps_of_lpips_add_up_to_it(lpips: Lpips) -> None:
    first, second = (torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(i)) for i in (1, 2))
    means = [one.mean(dim=(1, 2, 3)) for one in lpips.maps_toward(second)(first)]
    torch.testing.assert_close(torch.stack(means).sum(dim=0), lpips(first, second))


def test_a_generator_that_cannot_be_changed_is_refused(lpips: Lpips) -> None:
    network = random_network("stylegan2", double=False)
    method = make(network, lpips)
    wrapped = HybridRefinement(Projector(DrawnBy(network, network.synthesis), lpips, steps=3), lpips)
    with pytest.raises(UserError, match="two: weights can be tuned in float32 only"):
        wrapped.refine(random_images(network), random_codes(network))
    assert method.steps == STEPS

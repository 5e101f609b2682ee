import copy
from typing import Any

import pytest
import torch

from latentloop.baselines import PivotalTuning, Projector
from latentloop.errors import NotFiniteError, UserError
from latentloop.features.lpips import Lpips
from latentloop.generators import DrawnBy
from latentloop.latents import mean_code, truncate
from random_networks import Network, random_codes, random_images, random_network

STEPS = 4


def make(network: Network, lpips: Lpips, **settings: Any) -> PivotalTuning:  # noqa: ANN401
    return PivotalTuning(Projector(network, lpips, steps=3), lpips, **{"steps": STEPS, "lr": 1e-3, **settings})


def test_its_path_is_that_of_the_published_loop(network: Network, lpips: Lpips) -> None:
    """Written out for one image as its program does it: Adam of PyTorch on all weights of a copy."""
    target = random_images(network)[:1]
    found = make(network, lpips, seed=5).refine(target, mean_code(network, 1))
    torch.testing.assert_close(found.w_plus, make(network, lpips).pivot.refine(target, mean_code(network, 1)).w_plus)
    tuned, randomness = copy.deepcopy(network).requires_grad_(requires_grad=True), torch.Generator().manual_seed(5)
    for module in tuned.modules():
        vars(module).pop("norms", None)  # what StyleGAN2's layers have prepared is of weights that stay
        setattr(module, "norms", None)  # noqa: B010 - of any module
    adam = torch.optim.Adam(tuned.synthesis.parameters(), lr=1e-3)
    losses = []
    for step in range(STEPS + 1):
        image = tuned.synthesis(found.w_plus)
        loss = (image - target).square().mean() + lpips(image, target).sum()
        losses.append(loss.detach())
        if step == STEPS:
            break
        w = network.mapping(torch.randn(1, network.z_dim, generator=randomness))
        w_z = truncate(w[:, None].expand(-1, network.num_ws, -1), network.latent_avg, psi=0.5)
        way = w_z - found.w_plus
        nearby = found.w_plus + 30 * way / torch.norm(way, p=2)
        before, after = network.synthesis(nearby), tuned.synthesis(nearby)
        loss = loss + 0.1 * (after - before).square().mean() + 0.1 * lpips(after, before).sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    torch.testing.assert_close(found.losses[-STEPS - 1 :, 0], torch.stack(losses), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.image, image.detach(), rtol=1e-2, atol=1e-2)
    assert losses[-1] < losses[0]


def test_each_image_gets_a_generator_of_its_own_and_the_first_one_stays(network: Network, lpips: Lpips) -> None:
    target, before = random_images(network), {name: one.clone() for name, one in network.state_dict().items()}
    told: list[int] = []
    method = make(network, lpips)
    found = method.refine(target, mean_code(network, 2), lambda step, _: told.append(step))
    assert told == [*range(4), *range(3, 8), *range(3, 8)]
    assert all(torch.equal(one, before[name]) for name, one in network.state_dict().items())
    assert (found.losses.shape, found.steps.tolist()) == ((4 + 5, 2), [7, 7])
    for i, generator in enumerate(found.generators):
        torch.testing.assert_close(generator.synthesis(found.w_plus[i : i + 1]), found.image[i : i + 1])
        assert (generator.synthesis(found.w_plus) - network.synthesis(found.w_plus)).abs().max() > 1e-3
    alone = method.refine(target[1:], mean_code(network, 1))
    torch.testing.assert_close(alone.losses, found.losses[:, 1:], rtol=1e-3, atol=1e-4)


def test_it_ends_where_the_image_is_near_enough(lpips: Lpips) -> None:
    network = random_network("mobilestylegan", double=False)
    target = random_images(network)
    far = make(network, lpips).refine(target, mean_code(network, 2)).losses
    near = make(network, lpips, enough=float(lpips(target, target.flip(0)).max()) * 10)
    found = near.refine(target, mean_code(network, 2))
    assert found.losses.shape == (4 + 1, 2)
    assert found.steps.tolist() == [3, 3]
    assert far.shape == (4 + 5, 2)
    torch.testing.assert_close(found.image, network.synthesis(found.w_plus))


def test_codes_off_the_pivot_are_as_far_as_is_said(lpips: Lpips) -> None:
    network = random_network("stylegan2", double=False)
    pivot = random_codes(network, 1)
    off = make(network, lpips).off(pivot, torch.Generator().manual_seed(1))
    assert float((off - pivot).norm()) == pytest.approx(30.0, rel=1e-4)


def test_a_generator_in_low_precision_and_a_loss_that_is_not_finite_are_refused(lpips: Lpips) -> None:
    network = random_network("stylegan2", double=False)
    target, wrapped = random_images(network), DrawnBy(network, network.synthesis)
    method = PivotalTuning(Projector(wrapped, lpips, steps=3), lpips)
    with pytest.raises(UserError, match="two: weights can be tuned in float32 only"):
        method.refine(target, mean_code(network, 2))
    with pytest.raises(NotFiniteError, match="not finite"):
        make(network, lpips, lr=torch.inf).refine(target, mean_code(network, 2))

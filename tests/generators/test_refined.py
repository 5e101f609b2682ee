from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from latentloop.errors import NotFiniteError, UserError
from latentloop.generators import (
    DrawnBy,
    LowRank,
    Midway,
    Refinement,
    Residual,
    convolution_matrices,
    refined,
    weights_fingerprint,
    with_deltas,
)
from latentloop.generators.residual import fade
from latentloop.latents.code_file import Code, load_code, save_code
from random_networks import NETWORKS, Network, random_codes, random_network


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return random_network(request.param)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def residual_of(network: Network, pivot: torch.Tensor | None = None) -> Residual:
    """A residual, found with the first of the random codes by default."""
    seam = list(network.synthesis.seams)[-2]
    features = randn(*network.synthesis.seams[seam])
    return Residual(seam, features, random_codes(network)[0] if pivot is None else pivot)


def deltas_of(network: Network) -> dict[str, LowRank]:
    return {
        name: LowRank(randn(rows, 2, seed=rows), randn(columns, 2, seed=columns))
        for name, (rows, columns) in convolution_matrices(network).items()
    }


def refinement_of(network: Network, residual: Residual | None, deltas: dict[str, LowRank]) -> Refinement:
    return Refinement(network.name, weights_fingerprint(network), residual, deltas)


@pytest.mark.parametrize("tuned", [False, True])
def test_an_edit_changes_the_features_by_what_it_changes_without(network: Network, *, tuned: bool) -> None:
    """The edit of the Feature-Style Encoder, F + G(edited) - G(found), where the residual R = F - G(found) fades."""
    residual, deltas = residual_of(network), deltas_of(network) if tuned else {}
    changed = with_deltas(network, deltas)
    assert isinstance(changed, type(network))
    found, far = random_codes(network).chunk(2)
    edited = found.lerp(far, 0.1)
    begin, finish = changed.synthesis.begin, changed.synthesis.finish
    of_found, of_edited = begin(found, residual.seam), begin(edited, residual.seam)
    left = fade(of_edited.features, of_found.features)
    assert 0.01 < left.mean() < 0.999
    features = of_found.features + left * residual.features + of_edited.features - of_found.features
    generator = refined(network, refinement_of(network, residual, deltas))
    expected = finish(replace(of_edited, features=features), edited)
    torch.testing.assert_close(generator.synthesis(edited), expected)
    assert (generator.synthesis(edited) - changed.synthesis(edited)).abs().max() > 1e-3


@pytest.mark.parametrize("double", [False, True])
def test_the_code_it_was_found_with_is_drawn_with_all_of_it_to_the_bit(network: Network, *, double: bool) -> None:
    network = network if double else network.float()
    residual, w_plus = residual_of(network), random_codes(network)[:1]
    found = network.synthesis.begin(w_plus, residual.seam)
    features = found.features + residual.features.to(found.features)
    expected = network.synthesis.finish(replace(found, features=features), w_plus)
    assert torch.equal(refined(network, refinement_of(network, residual, {})).synthesis(w_plus), expected)


def test_a_code_is_drawn_alike_alone_and_in_a_batch_at_every_size(network: Network) -> None:
    generator, w_plus = refined(network, refinement_of(network, residual_of(network), {})), random_codes(network)
    image = generator.synthesis(w_plus)
    torch.testing.assert_close(torch.cat([generator.synthesis(w[None]) for w in w_plus]), image)
    means = torch.nn.functional.avg_pool2d(image, 4)
    torch.testing.assert_close(generator.synthesis(w_plus, resolution=8), means)


def test_weights_alone_are_drawn_with(network: Network) -> None:
    deltas, w_plus = deltas_of(network), random_codes(network)
    generator = refined(network, refinement_of(network, None, deltas))
    assert torch.equal(generator.synthesis(w_plus), with_deltas(network, deltas).synthesis(w_plus))
    assert (generator.name, generator.fingerprint) == (network.name, network.fingerprint)


def test_what_is_stored_is_drawn_to_the_bit(network: Network, make_code: Callable[..., Code], tmp_path: Path) -> None:
    found, w_plus = refinement_of(network, residual_of(network), deltas_of(network)), random_codes(network)
    save_code(tmp_path / "code.npz", make_code(refinement=found))
    read = load_code(tmp_path / "code.npz").refinement
    assert read is not None
    image, again = (refined(network, one).synthesis(w_plus) for one in (found.stored(), read))
    assert torch.equal(image, again)


def test_what_a_file_cannot_hold_is_refused_before_it_is_drawn(network: Network) -> None:
    residual = residual_of(network)
    large = replace(residual, features=residual.features + 1e6)
    with pytest.raises(NotFiniteError, match="not finite in float16"):
        refinement_of(network, large, {}).stored()


def test_a_mixture_has_shares_of_weights_and_of_residuals_that_fade_each_from_its_own_code(network: Network) -> None:
    codes = random_codes(network).lerp(random_codes(network).mean(dim=0), 0.8)  # alike, or nothing of either is left
    seam, w_plus = residual_of(network).seam, codes.mean(dim=0, keepdim=True)
    shape = network.synthesis.seams[seam]
    residuals = [Residual(seam, randn(*shape, seed=7 + i), code) for i, code in enumerate(codes)]
    first = dict(list(deltas_of(network).items())[:-1])
    second = {name: LowRank(delta.u[:, :1], delta.v[:, :1]) for name, delta in list(deltas_of(network).items())[1:]}
    made = [refinement_of(network, one, deltas) for one, deltas in zip(residuals, (first, second), strict=True)]
    generator = refined(network, made[0].scaled(0.25), made[1].scaled(0.5))

    weights = {name: 0.25 * _change(first.get(name)) + 0.5 * _change(second.get(name)) for name in {**first, **second}}
    changed = with_deltas(network, {name: _as_low_rank(change) for name, change in weights.items()})
    assert isinstance(changed, type(network))
    midway = changed.synthesis.begin(w_plus, seam)
    features = midway.features
    for share, residual in zip((0.25, 0.5), residuals, strict=True):
        left = fade(midway.features, changed.synthesis.begin(residual.pivot[None], seam).features)
        assert left.max() > 0.01
        features = features + share * left * residual.features
    expected = changed.synthesis.finish(replace(midway, features=features), w_plus)
    torch.testing.assert_close(generator.synthesis(w_plus), expected, rtol=1e-5, atol=1e-5)  # changes are float32


def _change(delta: LowRank | None) -> torch.Tensor:
    return delta.u @ delta.v.T if delta else torch.zeros(())


def _as_low_rank(change: torch.Tensor) -> LowRank:
    return LowRank(change, torch.eye(change.shape[1]))


def test_the_code_it_was_found_with_is_drawn_to_the_seam_once(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    pivots, w_plus = random_codes(network, 3), random_codes(network)
    made = [refinement_of(network, residual_of(network, pivot), {}).scaled(0.5) for pivot in pivots]
    begun = list[int]()
    generator = refined(network, *made)
    begin = network.synthesis.begin

    def counted(w_plus: torch.Tensor, /, seam: int) -> Midway:
        begun.append(len(w_plus))
        return begin(w_plus, seam)

    monkeypatch.setattr(network.synthesis, "begin", counted)
    with torch.inference_mode():
        generator.synthesis(w_plus)
    generator.synthesis(w_plus)
    assert sorted(begun) == [1, 1, 1, 2, 2]


def test_an_image_has_gradients_even_at_the_code_it_was_found_with(network: Network) -> None:
    refinement, w_plus = refinement_of(network, residual_of(network), {}), random_codes(network)
    generator = refined(network, refinement)
    with torch.inference_mode():
        generator.synthesis(w_plus)
    w_plus.requires_grad_()
    (gradient,) = torch.autograd.grad(generator.synthesis(w_plus).square().sum(), w_plus)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_residuals_at_different_resolutions_are_not_mixed(network: Network) -> None:
    one = residual_of(network)
    seam = list(network.synthesis.seams)[-1]
    other = replace(one, seam=seam, features=randn(*network.synthesis.seams[seam]))
    both = [refinement_of(network, residual, {}) for residual in (one, other)]
    with pytest.raises(UserError, match=r"^morph: faces whose features were refined at different resolutions cannot"):
        refined(network, *both, path="morph")


def test_another_generators_is_refused_in_one_line(network: Network) -> None:
    refinement = refinement_of(network, residual_of(network), {})
    next(tensor for name, tensor in network.named_parameters() if name.startswith("synthesis")).add_(1)
    with pytest.raises(
        UserError, match=rf"^a\.npz: refined for generator {network.name} \(weights \w+\), not for .* \(weights \w+\)$"
    ):
        refined(network, refinement, path="a.npz")


def test_what_does_not_fit_is_refused_in_one_line(network: Network) -> None:
    residual, (name, delta) = residual_of(network), next(iter(deltas_of(network).items()))
    for wrong, problem in (
        (refinement_of(network, replace(residual, seam=12), {}), r"a residual of \(.*\) at 12 for a code"),
        (refinement_of(network, replace(residual, features=randn(1, 2, 3)), {}), r"a residual of \(1, 2, 3\) at"),
        (refinement_of(network, replace(residual, pivot=randn(1, 2)), {}), r"at \d+ for a code \(1, 2\) does not fit"),
        (refinement_of(network, None, {"nothing": delta}), "has no convolution nothing"),
        (refinement_of(network, None, {name: LowRank(delta.v, delta.u)}), f"{name} needs factors"),
    ):
        with pytest.raises(UserError, match=rf"^a\.npz: .*{problem}"):
            refined(network, wrong, path="a.npz")
    with pytest.raises(TypeError, match="its synthesis has no seams"):
        refined(DrawnBy(network, network.synthesis), refinement_of(network, residual, {}))

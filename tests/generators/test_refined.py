from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from latentloop.errors import UserError
from latentloop.generators import (
    DrawnBy,
    LowRank,
    Refinement,
    Residual,
    convolution_matrices,
    mix_refinements,
    refined,
    weights_fingerprint,
    with_deltas,
)
from latentloop.latents.code_file import Code, load_code, save_code
from random_networks import NETWORKS, Network, random_codes, random_network


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return random_network(request.param)


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def residual_of(network: Network) -> Residual:
    seam = list(network.synthesis.seams)[-2]
    return Residual(seam, randn(*network.synthesis.seams[seam]))


def deltas_of(network: Network) -> dict[str, LowRank]:
    return {
        name: LowRank(randn(rows, 2, seed=rows), randn(columns, 2, seed=columns))
        for name, (rows, columns) in convolution_matrices(network).items()
    }


def refinement_of(network: Network, residual: Residual | None, deltas: dict[str, LowRank]) -> Refinement:
    return Refinement(network.name, weights_fingerprint(network), residual, deltas)


@pytest.mark.parametrize("tuned", [False, True])
def test_an_edit_changes_the_features_by_what_it_changes_without(network: Network, *, tuned: bool) -> None:
    """The edit of the Feature-Style Encoder, from its formula: F + G(edited) - G(found)."""
    residual, deltas = residual_of(network), deltas_of(network) if tuned else {}
    changed = with_deltas(network, deltas)
    assert isinstance(changed, type(network))
    found, edited = random_codes(network).chunk(2)
    begin, finish = changed.synthesis.begin, changed.synthesis.finish
    features = begin(found, residual.seam).features + residual.features
    of_found, of_edited = begin(found, residual.seam), begin(edited, residual.seam)
    expected = {
        "found": finish(replace(of_found, features=features), found),
        "edited": finish(replace(of_edited, features=features + of_edited.features - of_found.features), edited),
    }
    generator = refined(network, refinement_of(network, residual, deltas))
    torch.testing.assert_close(generator.synthesis(found), expected["found"])
    torch.testing.assert_close(generator.synthesis(edited), expected["edited"])
    assert (generator.synthesis(edited) - network.synthesis(edited)).abs().max() > 1e-3


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


def test_a_mixture_has_the_shares_of_features_and_weights(network: Network) -> None:
    residual = residual_of(network)
    residuals = [replace(residual, features=randn(*residual.features.shape, seed=i)) for i in (7, 8)]
    first = dict(list(deltas_of(network).items())[:-1])
    second = {name: LowRank(2 * delta.u[:, :1], delta.v[:, :1]) for name, delta in list(deltas_of(network).items())[1:]}
    made = [refinement_of(network, one, deltas) for one, deltas in zip(residuals, (first, second), strict=True)]
    mixed = mix_refinements([made[0], None, made[1]], [0.25, 0.25, 0.5])
    assert mixed is not None
    expected = {name: 0.25 * _change(first.get(name)) + 0.5 * _change(second.get(name)) for name in {**first, **second}}
    assert mixed.deltas.keys() == expected.keys()
    for name, delta in mixed.deltas.items():
        torch.testing.assert_close(_change(delta), expected[name])
    assert mixed.residual is not None
    assert mixed.residual.seam == residuals[0].seam
    torch.testing.assert_close(mixed.residual.features, 0.25 * residuals[0].features + 0.5 * residuals[1].features)


def _change(delta: LowRank | None) -> torch.Tensor:
    return delta.u @ delta.v.T if delta else torch.zeros(())


def test_what_has_no_share_is_not_mixed(network: Network) -> None:
    one = refinement_of(network, residual_of(network), deltas_of(network))
    other, w_plus = replace(one, weights="another's"), random_codes(network)
    alone = mix_refinements([one, other, None], [1.0, 0.0, 0.0])
    assert alone is not None
    assert torch.equal(refined(network, alone).synthesis(w_plus), refined(network, one).synthesis(w_plus))
    assert mix_refinements([one, None], [0.0, 1.0]) is None
    for wrong in (other, replace(one, residual=Residual(2, randn(1, 2, 2)))):
        with pytest.raises(UserError, match="refined in different ways cannot be mixed"):
            mix_refinements([one, wrong], [0.5, 0.5])


def test_another_generators_is_refused_in_one_line(network: Network) -> None:
    refinement = refinement_of(network, residual_of(network), {})
    next(tensor for name, tensor in network.named_parameters() if name.startswith("synthesis")).add_(1)
    with pytest.raises(UserError, match=rf"^a\.npz: refined for {network.name} \(weights \w+\), not for .* \(\w+\)$"):
        refined(network, refinement, "a.npz")


def test_what_does_not_fit_is_refused_in_one_line(network: Network) -> None:
    residual, (name, delta) = residual_of(network), next(iter(deltas_of(network).items()))
    for wrong, problem in (
        (refinement_of(network, replace(residual, seam=12), {}), r"a residual of \(.*\) at 12 does not fit"),
        (refinement_of(network, replace(residual, features=randn(1, 2, 3)), {}), r"a residual of \(1, 2, 3\) at"),
        (refinement_of(network, None, {"nothing": delta}), "has no convolution nothing"),
        (refinement_of(network, None, {name: LowRank(delta.v, delta.u)}), f"{name} takes"),
    ):
        with pytest.raises(UserError, match=rf"^a\.npz: .*{problem}"):
            refined(network, wrong, "a.npz")
    with pytest.raises(TypeError, match="draws in one piece"):
        refined(DrawnBy(network, network.synthesis), refinement_of(network, residual, {}))

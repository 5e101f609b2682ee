from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from latentloop.cache import CachedCode, CodeCache, CodeSpace
from latentloop.encoders.second_look import Look
from latentloop.generators import DrawnBy, Generator
from latentloop.inversion import IteratorConfig, LatentIterator, PerceptualMetric
from latentloop.inversion.metric_estimate import metric_of
from latentloop.latents import mean_code
from latentloop.losses import pixel_loss, toward
from latentloop.training.best_codes import BestCodes, NoCache
from latentloop.training.collaboration import Batch, Collaboration
from latentloop.training.collaboration_config import CollaborationConfig
from latentloop.training.pending import PendingCodes

CONFIG = CollaborationConfig(teacher_steps=4)


class Known:
    """A cache in memory."""

    def __init__(self) -> None:
        self.codes: dict[bytes, CachedCode] = {}

    def lookup(self, photos: Sequence[bytes]) -> list[CachedCode | None]:
        return [self.codes.get(photo) for photo in photos]

    def update(self, photos: Sequence[bytes], w_plus: Tensor, loss: Tensor, *, step: int) -> None:
        for photo, code, value in zip(photos, w_plus, loss.tolist(), strict=True):
            if photo not in self.codes or value < self.codes[photo].loss:
                self.codes[photo] = CachedCode(code.clone(), value, step)

    def accept(self) -> None: ...
    def discard(self) -> None: ...
    def commit(self) -> None: ...
    def load_state(self, state: Mapping[str, Tensor]) -> None: ...
    def state(self) -> Mapping[str, Tensor]:
        return {}


class Linear(nn.Module):
    """Codes as a linear function of a few averages."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(12, 32, generator=torch.Generator().manual_seed(1)).double() * 0.3)
        self.average = generator.latent_avg

    def forward(self, image: Tensor) -> Tensor:
        features = nn.functional.adaptive_avg_pool2d(image, 2).flatten(1)
        offset: Tensor = (features @ self.weight).unflatten(1, (4, 8))
        return self.average + offset


def absolute(image: Tensor, target: Tensor) -> Tensor:
    """Stands for LPIPS."""
    return (image - target).abs().mean(dim=(1, 2, 3))


@pytest.fixture
def photos(toy: Generator) -> Batch:
    randomness = torch.Generator().manual_seed(2)
    codes = mean_code(toy, 3) + 0.5 * torch.randn(3, 4, 8, generator=randomness, dtype=torch.float64)
    return Batch(toy.synthesis(codes), [b"a", b"b", b"c"], codes[:0], codes.new_empty(0, 3, 32, 32))


def collaboration(toy: Generator, cache: BestCodes | None = None, **changes: object) -> Collaboration:
    config = replace(CONFIG, cache=cache is not None, **changes)  # type: ignore[arg-type]
    return Collaboration(Linear(toy), toy, toward(pixel_loss), absolute, config, NoCache() if cache is None else cache)


def refined(toy: Generator, photos: Batch, start: Tensor, steps: int = 4) -> Tensor:
    config = IteratorConfig(steps=steps, lr=0.04, ramp_down=1.0)
    return LatentIterator(toy, toward(pixel_loss), config).refine(photos.images, start).w_plus


def test_the_network_learns_what_the_iterator_made_of_its_proposal(toy: Generator, photos: Batch) -> None:
    """L_E by hand, photo by photo."""
    both = replace(collaboration(toy), similarity=lambda image, target: 1 - (image - target).abs().amax(dim=(1, 2, 3)))
    both = replace(both, config=replace(both.config, lambda_w=2.0, lambda_img=3.0, lambda_per=0.5, lambda_id=4.0))
    terms, teaching = both.learn(photos, step=1)
    proposal = both.embedder(photos.images).detach()
    teacher = refined(toy, photos, proposal)
    torch.testing.assert_close(teaching.w_plus, teacher)
    for i in range(3):
        mine, theirs = toy.synthesis(proposal[i : i + 1]), toy.synthesis(teacher[i : i + 1])
        assert terms["w"][i].item() == pytest.approx(2.0 * (proposal[i] - teacher[i]).square().mean().item())
        assert terms["img"][i].item() == pytest.approx(3.0 * (mine - theirs).square().mean().item())
        assert terms["per"][i].item() == pytest.approx(0.5 * (mine - theirs).abs().mean().item())
        assert terms["id"][i].item() == pytest.approx(4.0 * (mine - theirs).abs().max().item())


def test_gradients_flow_through_the_proposal_alone(toy: Generator, photos: Batch) -> None:
    """Held against numbers that nudge the network while its teacher stands still."""
    both = collaboration(toy)
    terms, teaching = both.learn(photos, step=1)
    assert not any(tensor.requires_grad for tensor in (teaching.w_plus, teaching.image, teaching.loss))
    torch.stack(list(terms.values())).sum().backward()
    weight = both.embedder.weight
    assert isinstance(weight, nn.Parameter)
    for index in [(0, 0), (5, 17), (11, 31)]:
        sums = []
        for nudge in (1e-6, -1e-6):
            with torch.no_grad():
                weight[index] += nudge
                proposal = both.embedder(photos.images)
                told = both.terms(proposal, toy.synthesis(proposal), teaching.w_plus, teaching.image)
                sums.append(sum(term.sum().item() for term in told.values()))
                weight[index] -= nudge
        assert weight.grad is not None
        assert weight.grad[index].item() == pytest.approx((sums[0] - sums[1]) / 2e-6, rel=1e-4, abs=1e-8)


def test_a_better_code_in_the_cache_is_where_the_iterator_starts(toy: Generator, photos: Batch) -> None:
    cache = Known()
    good, bad = refined(toy, photos, mean_code(toy, 3), 200), mean_code(toy, 3) + 5
    for key, code in zip(photos.photos, (good[0], bad[1]), strict=False):
        loss = pixel_loss(toy.synthesis(code[None]), photos.images[[photos.photos.index(key)]]).item()
        cache.update([key], code[None], torch.tensor([loss]), step=0)
    both = collaboration(toy, cache)
    _, teaching = both.learn(photos, step=1)
    proposal = both.embedder(photos.images).detach()
    expected = refined(toy, photos, torch.stack([good[0], proposal[1], proposal[2]]))
    torch.testing.assert_close(teaching.w_plus, expected)
    assert teaching.known.tolist() == [True, True, False]
    assert (teaching.gain >= 0).all()


def test_the_cache_keeps_the_best_of_all_rounds(toy: Generator, photos: Batch) -> None:
    cache = Known()
    both, losses = collaboration(toy, cache), []
    for step in range(5):
        _, teaching = both.learn(photos, step=step)
        losses.append(teaching.loss)
        found = [cache.codes[key].loss for key in photos.photos]
        assert found == teaching.loss.tolist()
    assert all((after <= before).all() for before, after in pairwise(losses))
    assert (losses[-1] < losses[0]).all()


def test_when_this_round_is_worse_the_cached_code_teaches(toy: Generator, photos: Batch) -> None:
    cache, good = Known(), refined(toy, photos, mean_code(toy, 3), 200)
    loss = pixel_loss(toy.synthesis(good), photos.images)
    cache.update(photos.photos[:2], good[:2], loss[:2], step=0)
    both = collaboration(toy, cache, start_from="embedder")
    _, teaching = both.learn(photos, step=1)
    torch.testing.assert_close(teaching.w_plus[:2], good[:2])
    torch.testing.assert_close(teaching.image[:2], toy.synthesis(good[:2]))
    torch.testing.assert_close(teaching.loss[:2], loss[:2])
    assert not torch.allclose(teaching.w_plus[2], good[2])
    assert cache.codes[b"a"].step == 0
    assert cache.codes[b"c"].step == 1


@pytest.mark.parametrize("start_from", ["best", "embedder", "cache", "average"])
def test_the_iterator_starts_where_it_is_told(toy: Generator, photos: Batch, start_from: str) -> None:
    starts: list[Tensor] = []

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        starts.append(w_plus.detach().clone())
        return toy.synthesis(w_plus, resolution=resolution)

    cache, bad = Known(), mean_code(toy, 3) + 3
    cache.update(photos.photos[:1], bad[:1], torch.tensor([9.0]), step=0)
    both = replace(collaboration(toy, cache, start_from=start_from), generator=DrawnBy(toy, draw))
    both.learn(photos, step=1)
    proposal = both.embedder(photos.images).detach()
    expected = {
        "best": proposal,
        "embedder": proposal,
        "cache": torch.cat([bad[:1], proposal[1:]]),
        "average": mean_code(toy, 3),
    }
    torch.testing.assert_close(starts[1], expected[start_from])  # the first is drawn for the network


def test_to_start_from_the_cache_there_must_be_one(toy: Generator) -> None:
    with pytest.raises(ValueError, match="start_from cache needs the cache"):
        collaboration(toy, None, start_from="cache")


def test_without_steps_the_networks_own_code_stands_for_the_iterators(toy: Generator, photos: Batch) -> None:
    cache = Known()
    both = collaboration(toy, cache, teacher_steps=0)
    _, teaching = both.learn(photos, step=1)
    proposal = both.embedder(photos.images).detach()
    assert torch.equal(teaching.w_plus, proposal)
    torch.testing.assert_close(teaching.loss, pixel_loss(toy.synthesis(proposal), photos.images))
    assert teaching.gain.tolist() == [0, 0, 0]
    assert cache.codes.keys() == set(photos.photos)


def test_photos_with_good_codes_get_few_steps(toy: Generator, photos: Batch) -> None:
    cache, good = Known(), refined(toy, photos, mean_code(toy, 3), 200)
    cache.update([b"b"], good[1:2], pixel_loss(toy.synthesis(good[1:2]), photos.images[1:2]), step=0)
    both = collaboration(toy, cache, good_loss=0.01, good_steps=1)
    _, teaching = both.learn(photos, step=1)
    proposal = both.embedder(photos.images).detach()
    starts = torch.stack([proposal[0], good[1], proposal[2]])
    expected = refined(toy, photos, starts)
    expected[1] = refined(toy, photos, starts, steps=1)[1]
    torch.testing.assert_close(teaching.w_plus, expected)


def test_a_weight_without_its_loss_is_refused(toy: Generator) -> None:
    with pytest.raises(ValueError, match="no similarity is given"):
        collaboration(toy, lambda_id=1.0)


def test_the_photo_itself_can_be_the_images_target(toy: Generator, photos: Batch) -> None:
    both = collaboration(toy, image_target="photo")
    terms, _ = both.learn(photos, step=1)
    image = toy.synthesis(both.embedder(photos.images))
    torch.testing.assert_close(terms["img"], pixel_loss(image, photos.images))


@pytest.mark.parametrize(("name", "weight"), [("img", "lambda_img"), ("per", "lambda_per")])
def test_a_term_without_weight_costs_nothing(toy: Generator, photos: Batch, name: str, weight: str) -> None:
    changes: dict[str, Any] = {weight: 0.0}
    assert name not in collaboration(toy, **changes).learn(photos, step=1)[0]


@pytest.mark.parametrize("count", [0, 2])
def test_images_of_known_codes_teach_directly(toy: Generator, photos: Batch, count: int) -> None:
    """Beside photos or alone; the network sees the spoilt image and is compared with the clean one."""
    both, codes = collaboration(toy, Known()), mean_code(toy, 2) + 0.3
    clean = toy.synthesis(codes)
    mixed = Batch(torch.cat([photos.images[:count], clean + 0.1]), photos.photos[:count], codes, clean)
    terms, teaching = both.learn(mixed, step=1)
    assert len(teaching.w_plus) == len(teaching.known) == count
    proposal = both.embedder(clean + 0.1)
    torch.testing.assert_close(terms["w"][count:], (proposal - codes).square().mean(dim=(1, 2)))
    torch.testing.assert_close(terms["img"][count:], pixel_loss(toy.synthesis(proposal), clean))
    if count:
        alone = replace(photos, images=photos.images[:count], photos=photos.photos[:count])
        expected, _ = collaboration(toy, Known()).learn(alone, step=1)
        for name, term in expected.items():
            torch.testing.assert_close(terms[name][:count], term)


class Looks(Linear):
    """One that adds what is wrong in the second look."""

    seen: Look

    def forward(self, image: Tensor, first: Look | None = None) -> Tensor:
        if first is None:
            return super().forward(image)
        self.seen = first
        return first.w_plus + 0.1 * super().forward(image - first.image)


@pytest.mark.parametrize("teaches", [True, False])
def test_some_images_get_a_second_look(toy: Generator, photos: Batch, teaches: bool) -> None:
    """The first photo and the second of the drawn images: at what the first look drew, by hand."""
    plain = collaboration(toy, lambda_second_look=0.5, teacher_steps=4 if teaches else 0)
    embedder, codes = Looks(toy), mean_code(toy, 2) + 0.3
    both = replace(plain, embedder=embedder)
    images = torch.cat([photos.images, toy.synthesis(codes)])
    mixed = Batch(images, photos.photos, codes, toy.synthesis(codes), looked_at_again=[0, 4])
    terms, teaching = both.learn(mixed, step=1)
    first = both.embedder(mixed.images).detach()
    looked = Look(first[[0, 4]], toy.synthesis(first[[0, 4]]))
    again = both.embedder(mixed.images[[0, 4]], looked)
    torch.testing.assert_close(embedder.seen.image, looked.image)
    teacher = torch.stack([teaching.w_plus[0] if teaches else again[0], codes[1]])
    target = torch.cat([teaching.image[:1], mixed.drawn[1:]])
    one = both.terms(again, toy.synthesis(again), teacher, target)
    expected = torch.zeros(5, dtype=torch.float64)
    expected[[0, 4]] = 0.5 * sum(one.values())
    torch.testing.assert_close(terms["again"], expected)
    assert not again.allclose(first[[0, 4]])


def test_a_second_look_teaches_the_first_nothing(toy: Generator, photos: Batch) -> None:
    """What the first look found and drew is given; its own loss is in the other terms."""
    embedder = Looks(toy)
    both = replace(collaboration(toy, lambda_second_look=0.5), embedder=embedder)
    terms, _ = both.learn(replace(photos, looked_at_again=[1]), step=1)
    assert not embedder.seen.w_plus.requires_grad
    assert not embedder.seen.image.requires_grad
    assert terms["again"].requires_grad
    assert terms["again"][[0, 2]].eq(0).all()
    assert both.learn(photos, step=1)[0]["again"].eq(0).all()


def test_it_works_with_the_real_cache(toy: Generator, photos: Batch, tmp_path: Path) -> None:
    space = CodeSpace(toy.fingerprint, toy.num_ws, toy.w_dim, {})
    cache = PendingCodes(CodeCache(tmp_path / "codes.cache", space))
    both = collaboration(toy, cache)
    _, first = both.learn(photos, step=0)
    cache.accept()
    _, second = both.learn(photos, step=1)
    cache.accept()
    assert second.known.all()
    assert (second.loss < first.loss).all()
    found = [code.loss for code in cache.lookup(photos.photos) if code]
    torch.testing.assert_close(torch.tensor(found, dtype=torch.float64), second.loss)


def test_no_photo_costs_more_drawing_than_the_method_needs(toy: Generator, photos: Batch) -> None:
    """Its own image, then that of every code that the iterator passes through: nothing is drawn twice but the start."""
    drawn: list[int] = []

    def draw(w_plus: Tensor, *, resolution: int | None = None) -> Tensor:
        drawn.append(len(w_plus))
        return toy.synthesis(w_plus, resolution=resolution)

    both = replace(collaboration(toy, Known()), generator=DrawnBy(toy, draw))
    for step in range(2):
        drawn.clear()
        both.learn(photos, step=step)
        assert drawn == [3] * (1 + 4 + 1)


def some_metric(toy: Generator) -> PerceptualMetric:
    halves = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(3))
    return metric_of(halves.mT @ halves, fingerprint=toy.fingerprint)


def test_the_iterator_that_teaches_takes_the_metric(toy: Generator, photos: Batch) -> None:
    metric = some_metric(toy)
    plain = collaboration(toy)
    both = replace(plain, metric=metric, config=replace(plain.config, teacher_metric=True))
    proposal = both.embedder(photos.images).detach()
    config = IteratorConfig(steps=4, lr=0.04, ramp_down=1.0)
    expected = LatentIterator(toy, toward(pixel_loss), config, metric=metric).refine(photos.images, proposal).w_plus
    _, teaching = both.learn(photos, step=1)
    torch.testing.assert_close(teaching.w_plus, expected)
    assert not torch.allclose(teaching.w_plus, plain.learn(photos, step=1)[1].w_plus)
    unused = replace(both, config=replace(plain.config, code_distance="metric"))
    torch.testing.assert_close(unused.learn(photos, step=1)[1].w_plus, plain.learn(photos, step=1)[1].w_plus)


def test_codes_are_compared_in_the_metric(toy: Generator, photos: Batch) -> None:
    plain, metric = collaboration(toy, lambda_w=2.0), some_metric(toy)
    both = replace(plain, metric=metric, config=replace(plain.config, code_distance="metric"))
    terms, teaching = both.learn(photos, step=1)
    proposal = both.embedder(photos.images).detach()
    expected = 2.0 * metric.squared_distance(proposal, teaching.w_plus)
    torch.testing.assert_close(terms["w"].detach(), expected)
    assert not torch.allclose(expected, plain.learn(photos, step=1)[0]["w"].detach())


def test_a_metric_that_is_asked_for_must_be_there(toy: Generator) -> None:
    with pytest.raises(ValueError, match="takes the generator's metric, none is given"):
        collaboration(toy, teacher_metric=True)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"code_distance": "far"}, "code_distance must be one of plain, metric, got far"),
        ({"teacher_metric": True, "teacher_optimizer": "adam"}, "teacher_metric is for muon, not adam"),
        ({"teacher_steps": -1}, "teacher_steps must be 0 or more"),
        ({"lambda_w": float("nan")}, "lambda_w must be 0 or more"),
        ({"teacher_optimizer": "sgd"}, "teacher_optimizer must be one of muon, adam, got sgd"),
        (
            {"lambda_w": 0.0, "lambda_img": 0.0, "lambda_per": 0.0},
            "one of lambda_w, lambda_img, lambda_per and lambda_id",
        ),
    ],
)
def test_settings_that_teach_nothing_are_refused(changes: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        replace(CONFIG, **changes)  # type: ignore[arg-type]

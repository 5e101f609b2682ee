"""The earlier methods with the numbers that were published, each beside its source.

A number changes here only if its source was read wrongly.
"""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from latentloop.baselines import HybridRefinement, PivotalTuning, projector, stylegan_encoder
from latentloop.baselines.image2stylegan import Image2StyleGAN, Image2StyleGANPlusPlus
from latentloop.baselines.networks import VGG_LAYER, VGG_LAYERS
from latentloop.baselines.projector import Projector
from latentloop.baselines.stylegan_encoder import StyleGANEncoder
from latentloop.benchmark.method_table import METHODS
from latentloop.benchmark.methods import BUILDERS
from latentloop.generators.stylegan2 import Shape
from latentloop.inversion import IteratorConfig, LatentIterator
from stylegan2_tensors import random_stylegan2

ANY: Any = None

# stylegan2-ada-pytorch, projector.py, the arguments of `project`; betas are those that it gives to Adam.
PROJECTOR = {
    "space": "w",
    "steps": 1000,  # num_steps
    "lr": 0.1,  # initial_learning_rate
    "ramp_up": 0.05,  # lr_rampup_length
    "ramp_down": 0.25,  # lr_rampdown_length
    "shaking": 0.05,  # initial_noise_factor
    "shaken": 0.75,  # noise_ramp_length
    "lambda_noise": 1e5,  # regularize_noise_weight
}
# pbaylies/stylegan-encoder, encode_images.py, defaults of the command line; lr is that of the README's call with Adam.
STYLEGAN_ENCODER = {
    "steps": 100,  # --iterations
    "lr": 0.02,  # --optimizer=adam --lr=0.02
    "decay": 0.9,  # --decay_rate
    "lambda_features": 0.4,  # --use_vgg_loss
    "lambda_pixels": 1.5,  # --use_pixel_loss
    "lambda_ms_ssim": 200.0,  # --use_mssim_loss
    "lambda_lpips": 100.0,  # --use_lpips_loss
    "lambda_average": 0.5,  # --use_l1_penalty
}
# danielroich/PTI, configs/hyperparameters.py.
PTI = {
    "steps": 350,  # max_pti_steps
    "lr": 3e-4,  # pti_learning_rate
    "enough": 0.07,  # LPIPS_value_threshold
    "lambda_locality": 0.1,  # regulizer_l2_lambda and regulizer_lpips_lambda
    "reach": 30.0,  # regulizer_alpha
    "psi": 0.5,  # truncation_psi of Space_Regulizer
}
# caopulan/GANInverter, configs/dhr/dhr.yaml.
DHR = {
    "steps": 100,  # dhr_feature_step
    "lr": 9e-2,  # dhr_feature_lr
    "weight_steps": 50,  # dhr_weight_step
    "weight_lr": 1.5e-3,  # dhr_weight_lr
    "threshold": 0.7,  # dhr_theta1, that of skin
}


@pytest.mark.parametrize(
    ("method", "published"),
    [
        (PivotalTuning(ANY, ANY), PTI),
        (HybridRefinement(ANY, ANY), DHR),
        (Projector(ANY, ANY), PROJECTOR),
        (StyleGANEncoder(ANY, ANY), STYLEGAN_ENCODER),
        # arXiv:1904.03189, section 5: Adam, 5,000 steps of 0.01, both losses of weight 1.
        (Image2StyleGAN(ANY, ANY), {"steps": 5000, "lr": 0.01, "mask": None}),
        # arXiv:1911.11544: 3,000 steps on the noise, of size 5.
        (Image2StyleGANPlusPlus(ANY), {"steps": 3000, "lr": 5.0}),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, dict) else "",
)
def test_defaults_are_the_published_ones(method: object, published: dict[str, object]) -> None:
    assert {name: getattr(method, name) for name in published} == published


def test_constants_are_the_published_ones() -> None:
    assert projector.SAMPLES == 10_000  # w_avg_samples of `project`
    assert stylegan_encoder.LIMIT == 2.0  # --clipping_threshold
    assert stylegan_encoder.KEPT == 0.25  # --average_best_loss
    assert VGG_LAYERS == ("conv1_1", "conv1_2", "conv3_2", "conv4_2")  # arXiv:1904.03189, section 4
    assert VGG_LAYER == ("conv3_3",)  # --use_vgg_layer 9, counted in Keras' VGG16 with its input and pools


def test_the_encoders_step_size_falls_each_25th_of_the_steps() -> None:
    """--decay_steps 4, in per cent of the iterations."""
    sizes = [StyleGANEncoder(ANY, ANY).lr_at(step) for step in range(100)]
    assert [step for step in range(1, 100) if sizes[step] != sizes[step - 1]] == list(range(4, 100, 4))


def test_image2stylegan_takes_adams_steps_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[IteratorConfig] = []
    monkeypatch.setattr(LatentIterator, "refine", lambda iterator, *_: configs.append(iterator.config))
    Image2StyleGAN(ANY, ANY).refine(torch.zeros(1, 3, 8, 8), torch.zeros(1, 2, 4))
    assert configs == [IteratorConfig(5000, optimizer="adam", lr=0.01, ramp_up=0.0, ramp_down=0.0, space="w+")]


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("image2stylegan", 5000),
        ("image2stylegan++", 5000 + 3000),
        ("stylegan-encoder", 100),
        ("projector", 1000),
        ("projector-w+", 1000),
        ("pti", 450 + 350),  # first_inv_steps and max_pti_steps
        ("dhr-like", 40 + 100),  # optim_step and dhr_feature_step
    ],
)
def test_the_benchmark_takes_the_published_steps(name: str, steps: int) -> None:
    assert METHODS[name].steps == steps


@pytest.mark.parametrize(("steps", "pivot", "tuning"), [(800, 450, 350), (80, 45, 35)])
def test_nine_of_sixteen_steps_of_pti_are_on_the_pivot(steps: int, pivot: int, tuning: int) -> None:
    refiner = refiner_of("pti", steps)
    assert isinstance(refiner, PivotalTuning)
    assert (refiner.pivot.space, refiner.pivot.steps, refiner.steps) == ("w", pivot, tuning)
    assert refiner.pivot.lr == 0.01  # initial_learning_rate of its w_projector.py
    assert refiner.enough == 0.5 * PTI["enough"]  # images are of 256 pixels, not 1024


@pytest.mark.parametrize(("steps", "coarse", "refining", "weights"), [(140, 40, 100, 50), (14, 4, 10, 5)])
def test_two_of_seven_steps_of_dhr_are_in_w(steps: int, coarse: int, refining: int, weights: int) -> None:
    refiner = refiner_of("dhr-like", steps)
    assert isinstance(refiner, HybridRefinement)
    assert (refiner.coarse.space, refiner.coarse.steps) == ("w", coarse)
    assert (refiner.steps, refiner.weight_steps) == (refining, weights)
    assert refiner.threshold == 0.5 * DHR["threshold"]


def refiner_of(name: str, steps: int) -> object:
    return getattr(BUILDERS[name](tools(), steps), "refiner", None)


def tools() -> Any:  # noqa: ANN401
    generator = random_stylegan2(Shape(mapping=(8, 7, 6), channels=(5, 4, 3)))
    networks = SimpleNamespace(layers=None, lpips=None, name="alexnet")
    return SimpleNamespace(generator=generator, networks=networks, parts=SimpleNamespace(embedder=None))


@pytest.mark.parametrize(("steps", "styles", "noise"), [(8000, 5000, 3000), (800, 500, 300)])
def test_three_of_eight_steps_are_on_the_noise(steps: int, styles: int, noise: int) -> None:
    """The paper's 5,000 and 3,000 (arXiv:1911.11544), and in a shorter run as many for as many."""
    refiner = refiner_of("image2stylegan++", steps)
    assert isinstance(refiner, Image2StyleGANPlusPlus)
    assert (refiner.styles.steps, refiner.steps) == (styles, noise)

import pytest

from latentloop.benchmark.method_table import METHODS, choose_methods
from latentloop.benchmark.methods import BUILDERS
from latentloop.embedding.quality import FAR, NEAR, Quality


def test_every_method_can_be_built() -> None:
    assert list(METHODS) == list(BUILDERS)


def test_steps_are_the_methods_own_else_the_callers_else_the_published_ones() -> None:
    texts = ["one-pass", "hybrid:7", "optimize", "projector", "image2stylegan:9"]
    assert [one.name for one in choose_methods(texts, steps=3)] == [
        "one-pass",
        "hybrid-7",
        "optimize-100",
        "projector-3",
        "image2stylegan-9",
    ]
    assert [one.steps for one in choose_methods(texts)] == [0, 7, 100, 1000, 9]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "name at least one method"),
        (["hybird"], "unknown method 'hybird'; did you mean hybrid?"),
        (["hybrid:"], "hybrid:: steps must be 1 or more"),
        (["hybrid:0"], "hybrid:0: steps must be 1 or more"),
        (["one-pass:1"], "one-pass:1: one-pass takes no steps"),
        (["hybrid:50", "hybrid"], "hybrid-50 is named twice"),
    ],
)
def test_what_is_no_choice_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        choose_methods(texts)


@pytest.mark.parametrize("quality", ["instant", "balanced", "best"])
def test_notes_of_our_methods_name_the_weight_of_the_identity_loss(quality: Quality) -> None:
    weight = f"{NEAR[quality].lambda_identity:g} times"
    assert FAR["balanced"].lambda_identity == NEAR[quality].lambda_identity
    ours = [method for name, method in METHODS.items() if method.ours and (method.steps or method.steps_on_request)]
    assert len(ours) == 7
    assert all(weight in method.minimizes for method in ours)


def test_a_note_tells_what_differs_from_what_was_published() -> None:
    hybrid, projector, published = choose_methods(["hybrid:7", "projector:9", "projector"])
    minimized = "MSE and LPIPS (alex), on faces also 0.3 times a distance in earlier layers of the network of ID"
    assert hybrid.note("none") == f"arXiv:2007.01758; minimizes {minimized}"
    assert projector.note("alexnet").endswith(
        "published with 1,000 steps, here 9; AlexNet's features instead of VGG16's"
    )
    assert published.note("vgg16") == "arXiv:1912.04958; minimizes LPIPS by the features; images at 256 pixels"

import pytest

from latentloop.benchmark.comparison import Comparison, Result, on_the_same_images


def result(method: str, image: str, value: float) -> Result:
    return Result(method, image, {"mse": value}, 1.0, None, 7, 1)


def test_means_are_of_images_that_all_methods_have() -> None:
    both = [result("slow", "a", 0.1), result("quick", "a", 0.2)]
    assert on_the_same_images([*both, result("quick", "b", 0.3)]) == both
    strangers = [result("slow", "a", 0.1), result("quick", "b", 0.2)]
    assert on_the_same_images(strangers) == strangers
    assert on_the_same_images([]) == []


def test_a_run_leaves_its_means(comparison: Comparison) -> None:
    means = comparison.means
    assert (means.name, means.images, means.conditions) == ("toys", 2, {"protocol": "psp", "generator": "toy"})
    assert {name: method.title for name, method in means.methods.items()} == {
        "quick": "Ours, quick",
        "slow": "Slow, 9 steps",
    }
    assert means.methods["slow"].means == pytest.approx({"mse": 0.2, "lpips_alex": 0.4, "id": 0.8})

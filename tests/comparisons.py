import pytest

from latentloop.benchmark.comparison import Comparison, MethodLine, Result


def result(method: str, image: str, value: float, seconds: float = 1.0) -> Result:
    return Result(method, image, {"mse": value, "lpips_alex": 2 * value, "id": 1 - value}, seconds, 2 * 10**9, 7, 1)


@pytest.fixture
def comparison() -> Comparison:
    slow = [result("slow", "a", 0.1, 10), result("slow", "b", 0.3, 30)]
    quick = [result("quick", "a", 0.2, 1), result("quick", "b", 0.2, 2)]
    lines = [
        MethodLine("quick", "Ours, quick", "descends nothing", True, quick),
        MethodLine("slow", "Slow, 9 steps", "paper", False, slow),
    ]
    facts, conditions = {"data": "two"}, {"protocol": "psp", "generator": "toy"}
    return Comparison("toys", facts, conditions, ("mse", "lpips_alex", "id"), lines, ["x.png: broken"])

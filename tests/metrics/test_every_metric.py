"""Every metric and loss of images takes the same five tests."""

import pytest

from latentloop.metrics import FACTS
from metric_cases import CASES, METRICS
from metric_tester import MetricTester


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
class TestEveryMetric(MetricTester):
    pass


def test_none_is_left_out() -> None:
    assert {case.name for case in METRICS} == FACTS.keys() - {"lpips_full", "pattern_photo"}

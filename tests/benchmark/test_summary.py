import numpy as np
import pytest

from latentloop.benchmark.summary import summarize


def test_mean_and_deviation_are_those_of_the_values() -> None:
    found = summarize([1.0, 2.0, 6.0])
    assert (found.count, found.mean) == (3, 3.0)
    assert found.deviation == pytest.approx(7**0.5)
    assert 1 <= found.low < 3 < found.high <= 6


def test_the_interval_is_about_two_standard_errors_of_many_values() -> None:
    values = np.random.default_rng(1).normal(5, 2, 400).tolist()
    found = summarize(values)
    error = 2 / 400**0.5
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert summarize(values) == found


def test_one_value_is_sure_of_itself_and_none_is_an_error() -> None:
    found = summarize([0.5])
    assert (found.mean, found.deviation, found.low, found.high) == (0.5, 0.0, 0.5, 0.5)
    with pytest.raises(ValueError, match="no values"):
        summarize([])

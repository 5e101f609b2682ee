"""The method takes the recorded steps, digit by digit."""

import pytest

from traces import GOLDEN, TRACES, differing


@pytest.mark.parametrize("name", TRACES)
def test_twenty_steps_are_the_recorded_ones(name: str) -> None:
    recorded = (GOLDEN / name).read_text(encoding="utf-8")
    assert differing(TRACES[name](), recorded) == [], "see DEVELOPERS.md, Golden traces"


def test_a_number_beyond_the_tolerance_is_named() -> None:
    recorded = "step loss\n1 1.000000000e+00\n2 5.000000000e-01\n"
    assert differing(recorded.replace("5.000000000", "5.000001000"), recorded) == []
    found = differing(recorded.replace("5.000000000", "5.000020000"), recorded)
    assert found == ["step 2, loss: 5.000020000e-01, not 5.000000000e-01"]
    assert differing("step loss\n1 1.0\n", recorded) == ["other columns or steps: step loss, 1 rows"]

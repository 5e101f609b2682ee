"""The method takes the recorded steps: each number to within 2e-6 of itself, on photos that are not degraded.

JPEG and the other degradations are off: a change of theirs leaves the traces as they are. They have tests of their own.
"""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

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


def test_the_script_fails_if_numbers_differ(
    load_script: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    script = load_script("golden_traces")
    monkeypatch.setattr(script, "GOLDEN", tmp_path)
    monkeypatch.setattr(script, "TRACES", {"one.txt": lambda: "step loss\n1 1.0\n"})
    recorded = tmp_path / "one.txt"
    assert script.main([]) == 1, "not recorded yet"
    recorded.write_text("step loss\n1 1.5\n", encoding="utf-8")
    assert script.main([]) == 1
    assert "step 1, loss: 1.0" in capsys.readouterr().out
    assert script.main(["--write"]) == 0
    assert script.main([]) == 0
    assert recorded.read_text(encoding="utf-8") == "step loss\n1 1.0\n"

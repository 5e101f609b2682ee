"""The guard of results tells what got worse by more than its noise."""

from collections.abc import Callable
from types import ModuleType

import pytest

from latentloop.errors import UserError
from measuring import guard_figures
from measuring.guard import Guarded, check_noise, compare, guarded
from measuring.running import run_python

Load = Callable[[str], ModuleType]
LPIPS = Guarded(0.1, noise=0.01, higher_is_better=False)
ID = Guarded(0.9, noise=0.02, higher_is_better=True)


@pytest.mark.parametrize("now", [0.1, 0.109, 0.091])
def test_figures_within_the_noise_pass_without_a_word(now: float) -> None:
    verdict = compare({"lpips": LPIPS}, {"lpips": now})
    assert (verdict.worse, verdict.better) == ([], [])


def test_what_got_worse_is_named_with_how_much() -> None:
    verdict = compare({"lpips": LPIPS, "id": ID}, {"lpips": 0.12, "id": 0.85})
    assert verdict.worse == [
        "lpips: 0.1 became 0.12, worse by 0.02 (noise 0.01)",
        "id: 0.9 became 0.85, worse by 0.05 (noise 0.02)",
    ]
    assert verdict.better == []


def test_what_got_better_passes_and_is_told() -> None:
    verdict = compare({"lpips": LPIPS, "id": ID}, {"lpips": 0.08, "id": 0.95})
    assert verdict.worse == []
    assert verdict.better == [
        "lpips: 0.1 became 0.08, better by 0.02 (noise 0.01)",
        "id: 0.9 became 0.95, better by 0.05 (noise 0.02)",
    ]


def test_a_figure_that_is_gone_or_no_number_is_worse() -> None:
    verdict = compare({"lpips": LPIPS, "id": ID}, {"id": float("nan")})
    assert [line.partition(":")[0] for line in verdict.worse] == ["lpips", "id"]


def test_noise_is_twice_the_largest_difference_but_has_a_least() -> None:
    assert guarded([1.0, 1.2, 0.9], higher_is_better=True, least=0.1) == Guarded(1.0, 0.4, higher_is_better=True)
    assert guarded([1.0, 1.01], higher_is_better=False, least=0.1) == Guarded(1.0, 0.1, higher_is_better=False)


def test_noise_that_hides_a_change_is_refused() -> None:
    check_noise({"lpips": LPIPS, "id": ID})
    with pytest.raises(UserError, match="share: its noise is 40%, more than 25%: wait for a quiet machine"):
        check_noise({"id": ID, "share": Guarded(0.5, noise=0.2, higher_is_better=True)})


@pytest.fixture
def script(load_script: Load, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_script("check_results")
    monkeypatch.setattr(module, "quality", lambda threads: {"one pass, mse": 0.05 + 0.001 * threads})
    monkeypatch.setattr(module, "shares", lambda: [{"share": value} for value in (0.5, 0.6, 0.55)])
    return module


@pytest.mark.parametrize(("share", "code"), [(0.55, 0), (0.9, 0), (0.3, 1)])
def test_the_script_fails_if_and_only_if_something_got_worse(
    script: ModuleType, share: float, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = script.measure_noise()
    monkeypatch.setattr(script, "read_record", lambda _: record)
    monkeypatch.setattr(script, "shares", lambda: [{"share": share}])
    assert script.main() == code
    said = capsys.readouterr()
    assert ("WORSE: share: 0.55 became 0.3, worse by 0.25" in said.err) == (code == 1)
    assert ("better: share: 0.55 became 0.9" in said.out) == (share > 0.8)


def test_the_noise_of_shares_is_that_of_medians_which_are_compared(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    medians = iter((0.5, 0.52, 0.45, 0.5))

    def rounds() -> list[dict[str, float]]:
        middle = next(medians)
        return [{"share": value} for value in (0.1, middle, 0.9)]  # single rounds say nothing of their median

    monkeypatch.setattr(script, "shares", rounds)
    figure = script.figures_of(script.measure_noise())["share"]
    assert figure == Guarded(0.5, noise=0.1, higher_is_better=True)


def test_shares_that_vary_too_much_are_refused_before_quality_is_measured(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    medians = iter((0.5, 0.7, 0.5, 0.4))
    monkeypatch.setattr(script, "shares", lambda: [{"share": next(medians)}])
    monkeypatch.setattr(script, "quality", lambda threads: pytest.fail(f"measured with {threads} threads"))
    with pytest.raises(UserError, match="share: its noise is 80%"):
        script.main(update=True)


@pytest.mark.parametrize(("field", "value"), [("processor", "Another Processor"), ("torch", "2.0.0")])
def test_shares_of_another_machine_are_left_out_and_that_is_said(
    field: str, value: str, script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = script.measure_noise()
    record["machine"][field] = value
    monkeypatch.setattr(script, "read_record", lambda _: record)
    monkeypatch.setattr(script, "shares", lambda: pytest.fail("measured shares"))
    assert script.main() == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("shares of the convolution's rate: left out; the committed ones are from ")
    assert value in said[0]
    assert said[1].startswith("1 figures, none worse")


def test_a_command_that_fails_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["-c", "import sys; print('no such photo', file=sys.stderr); sys.exit(3)"]
    with pytest.raises(UserError, match="ended with exit code 3"):
        run_python(words)
    assert "no such photo" in capfd.readouterr().err
    assert run_python(words, codes=(0, 3)) == ""
    assert run_python(["-c", "import os; print(os.environ['OMP_NUM_THREADS'])"], threads=7) == "7\n"


def test_committed_figures_are_those_that_are_measured(load_script: Load) -> None:
    script = load_script("check_results")
    record = script.read_record("guard")
    photo = guard_figures.SEARCHED.stem
    passes = ("forward", "forward and backward")
    assert set(script.figures_of(record)) == {
        *(f"{what}, {name}" for what in ("one pass", f"balanced, {photo}") for name in guard_figures.QUALITY),
        *(f"{guard_figures.GENERATOR}, {one}, share of the convolution's rate" for one in passes),
    }

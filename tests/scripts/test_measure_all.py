"""The script of all measurements writes only figures whose sources are known, and says what is stale."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from latentloop.benchmark.method_table import choose_methods
from latentloop.errors import UserError
from measuring import methods
from measuring.machine import Machine
from measuring.measurement import Measurement
from measuring.readers import from_json
from measuring.records import read_record, write_record

MACHINE = Machine("Some Processor", cores=2, threads=1, bfloat16=False, torch="2.13.0", load=0.1)
RESULT = {"key": "k", "cost": {"seconds": 2.0, "calls": 3}, "figures": {"strict: mse": {"mse": 0.1}}}
Load = Callable[[str], ModuleType]


@pytest.fixture
def script(load_script: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with records in a new folder, which is the present one, too."""
    module = load_script("measure_all")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "read_record", partial(read_record, folder=tmp_path))
    monkeypatch.setattr(module, "write_record", partial(write_record, folder=tmp_path))
    monkeypatch.setattr(module, "this_machine", lambda: MACHINE)
    return module


def test_folders_are_found_from_where_the_user_is(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def run(words: Sequence[str]) -> str:
        said.extend(words)
        Path(words[-1]).write_text("{}")
        return ""

    one = Measurement("one", "about", ("scripts/time_step.py", "--photos", "{held_out}", "--json", "{json}"), from_json)
    monkeypatch.setattr(script, "named", lambda _: one)
    monkeypatch.setattr(script, "run_python", run)
    script.MeasureAll(run=("one",), held_out=Path("faces"))()
    assert said[2] == str(tmp_path / "faces")
    assert read_record("one", folder=tmp_path) is not None


def test_figures_are_refused_if_sources_changed_while_they_were_made(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(words: Sequence[str]) -> str:
        monkeypatch.setattr("measuring.measurement.checksum", lambda *_, **__: "new")
        Path(words[-1]).write_text("{}")
        return ""

    monkeypatch.setattr(script, "named", lambda _: Measurement("one", "about", ("-m", "x", "{json}"), from_json))
    monkeypatch.setattr("measuring.measurement.checksum", lambda *_, **__: "old")
    monkeypatch.setattr(script, "run_python", run)
    with pytest.raises(UserError, match="one: its sources changed while it ran"):
        script.MeasureAll(run=("one",))()
    assert read_record("one", folder=tmp_path) is None


class Bench:
    """Stands for `latentloop bench`: keeps results that are in its folder, and writes the others."""

    def __init__(self) -> None:
        self.measured: list[str] = []
        self.words: list[list[str]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self, words: Sequence[str], *, codes: Sequence[int]) -> str:
        self.words.append(list(words))
        methods_at, out = words.index("--methods") + 1, Path(words[words.index("--out") + 1])
        for method in words[methods_at : words.index("--features")]:
            name = choose_methods([method])[0].name
            if not (out / name / "a.json").exists():
                self.measured.append(name)
                (out / name).mkdir(parents=True)
                (out / name / "a.json").write_text(json.dumps(RESULT))
        self.meanwhile()
        assert list(codes) == [0, 2]
        return ""


def sources(monkeypatch: pytest.MonkeyPatch, ours: str, theirs: str) -> None:
    """Set the checksums of what our methods and the earlier ones depend on."""
    monkeypatch.setattr(methods, "depends", lambda name: ours if methods.chosen(name).method.ours else theirs)


def test_stale_results_of_methods_are_measured_again_and_others_kept(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench()
    monkeypatch.setattr(script, "run_python", bench)
    chosen = ("hybrid", "one-pass", "projector")
    measure = script.MeasureAll(run=("methods",), methods=chosen, samples=Path("photos"), work=Path("work"))
    sources(monkeypatch, "ours 1", "theirs")
    measure()
    measure()
    assert bench.measured == ["hybrid-50", "one-pass", "projector-1000"]
    assert bench.words[0][4:6] == [str(tmp_path / "photos"), "--out"]
    assert bench.words[0][6] == str(tmp_path / "work" / "samples-ours 1")
    sources(monkeypatch, "ours 2", "theirs")
    script.MeasureAll()()
    said = capsys.readouterr().out
    assert "stale    samples: hybrid-50 (1 photo)" in said
    assert "--run methods measures stale results again" in said
    assert "stale    samples: projector" not in said
    measure()
    assert bench.measured[3:] == ["hybrid-50", "one-pass"]
    record = read_record("methods", folder=tmp_path)
    assert record is not None
    assert list(methods.stale(record["sets"])) == []


def test_results_of_methods_are_refused_if_sources_changed_while_they_were_made(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench()
    bench.meanwhile = lambda: sources(monkeypatch, "new", "theirs")
    monkeypatch.setattr(script, "run_python", bench)
    sources(monkeypatch, "old", "theirs")
    with pytest.raises(UserError, match=r"the sources changed while they ran; nothing is taken from .*samples-old"):
        script.MeasureAll(run=("methods",), methods=("one-pass",), work=Path("work"))()
    assert read_record("methods", folder=tmp_path) is None

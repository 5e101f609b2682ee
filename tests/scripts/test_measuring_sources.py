"""Figures are stale once anything that they depend on has changed: command, script, modules, weights."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from latentloop.errors import UserError
from latentloop.weights import ASSETS
from measuring import methods
from measuring.catalogue import MEASUREMENTS, named
from measuring.imports import upstream
from measuring.machine import Machine
from measuring.measurement import Measurement
from measuring.readers import from_json
from measuring.records import make_record, read_record, state_of, write_record
from measuring.sources import FOLDERS, NEUTRAL, PACKAGE, bare, checksum

MACHINE = Machine("Some Processor", cores=2, threads=1, bfloat16=False, torch="2.13.0", load=0.1)
LAZY = "import lazy_loader\n__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)\n"
FILES = {
    "scripts/one.py": "from latentloop.room import wanted\n",
    "src/latentloop/__init__.py": "",
    "src/latentloop/room/__init__.py": LAZY,
    "src/latentloop/room/__init__.pyi": "from .a import wanted as wanted\nfrom .b import other as other\n",
    "src/latentloop/room/a.py": "def wanted():\n    from latentloop.weights import NET\n    return NET\n",
    "src/latentloop/room/b.py": "other = 1\n",
    "src/latentloop/room/page.js": "let wait = 1\n",
    "src/latentloop/weights.py": "NET = shipped('net', '123')\n",
}
"""A repository: a script, a lazily loaded package, and a module that names weights."""
ONE = Measurement("one", "about", ("scripts/one.py", "--json"), from_json)
Change = Callable[[str, str], None]


@pytest.mark.parametrize(
    ("source", "same"),
    [
        ('"""Other words."""\n\n\ndef f():\n    # why\n    return "# no comment"  # because\n', True),
        ('"""Doc."""\ndef f():\n    return "# another"\n', False),
        ('"""Doc."""\ndef f():\n        return "# no comment"\n', False),
    ],
)
def test_comments_and_docstrings_do_not_count(source: str, same: bool) -> None:
    first = '"""Doc."""\ndef f():\n    """Do it."""\n    return "# no comment"\n'
    assert (bare(first) == bare(source)) == same


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    """A repository of `FILES` in place of ours; gives what writes one of its files."""

    def write(place: str, source: str) -> None:
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(source)

    for place, source in FILES.items():
        write(place, source)
    folders = (tmp_path / "src", tmp_path / "scripts")
    monkeypatch.setattr("measuring.measurement.ROOT", tmp_path)
    monkeypatch.setattr("measuring.measurement.checksum", partial(checksum, folders=folders))
    return write


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("scripts/one.py", "from latentloop.room import wanted\nwanted()\n"),
        ("src/latentloop/room/a.py", "def wanted():\n    from latentloop.weights import NET\n    return NET, 1\n"),
        ("src/latentloop/room/page.js", "let wait = 2\n"),
        ("src/latentloop/weights.py", "NET = shipped('net', '456')\n"),
    ],
)
def test_a_record_is_stale_once_sources_or_weights_changed(place: str, source: str, change: Change) -> None:
    record = make_record(ONE, {"a": 1}, machine=MACHINE, minutes=1.234, depends=ONE.depends)
    assert state_of(ONE, record) == "fresh"
    change(place, source)
    assert state_of(ONE, record) == "stale"
    change(place, FILES[place])
    assert state_of(ONE, record) == "fresh"


def test_a_record_is_written_read_and_stale_once_its_command_changed(tmp_path: Path, change: Change) -> None:
    assert state_of(ONE, None) == "missing"
    record = make_record(ONE, {"a": 1}, machine=MACHINE, minutes=1.234, depends=ONE.depends)
    write_record("one", record, folder=tmp_path)
    assert read_record("one", folder=tmp_path) == record
    assert state_of(replace(ONE, command=("scripts/one.py", "--count", "500", "--json")), record) == "stale"
    change("src/latentloop/room/a.py", FILES["src/latentloop/room/a.py"] + "# a comment\n")
    change("src/latentloop/room/b.py", "other = 2\n")
    assert state_of(ONE, record) == "fresh"
    with pytest.raises(FileNotFoundError, match=r"gone\.py"):
        _ = replace(ONE, command=("scripts/gone.py",)).depends


def test_figures_of_sources_that_changed_meanwhile_are_refused(change: Change) -> None:
    before = ONE.depends
    change("scripts/one.py", "from latentloop.room import other\n")
    with pytest.raises(UserError, match="one: its sources changed while it ran"):
        make_record(ONE, {"a": 1}, machine=MACHINE, minutes=1, depends=before)


def test_imports_are_followed_to_the_modules_that_define_the_names(tmp_path: Path, change: Change) -> None:
    folders = (tmp_path / "src", tmp_path / "scripts")
    script = tmp_path / "scripts" / "one.py"
    few = {"one.py", "latentloop/__init__.py"}
    modules = {f"latentloop/{name}.py" for name in ("room/__init__", "room/a", "weights")}
    assert set(upstream([script], folders=folders)) == few | modules
    assert set(upstream([script], folders=folders, without=("latentloop/room/",))) == few
    change("scripts/one.py", "from latentloop import room\n")
    assert set(upstream([script], folders=folders)) == few | modules | {"latentloop/room/b.py"}
    change("scripts/one.py", "from . import two\n")
    with pytest.raises(ValueError, match=r"relative to a module, such as from \. import two, are not followed"):
        upstream([script], folders=folders)


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("generator", ["latentloop/allocator.py", "latentloop/benchmark/speed.py", "latentloop/inversion/iterator.py"]),
        ("generator-engines", ["latentloop/benchmark/engines.py", "latentloop/export/modules.py"]),
        ("iterator-step", ["time_step.py", "latentloop/losses/iterator.py"]),
        ("edit", ["time_edit.py", "latentloop/embedding/setup.py", "latentloop/latents/code_file.py"]),
        ("edit", ["latentloop/editing/direction_entries.py", "latentloop/video/__init__.py", "latentloop/cli/edit.py"]),
        ("studio", ["studio_trials.py", "latentloop/studio/workbench.py", "latentloop/embedding/starts.py"]),
        ("bulk", ["bulk_trials.py", "latentloop/records/schema.py", "latentloop/embedding/setup.py"]),
        ("one-pass", ["network_figures.py", "latentloop/encoders/embedder_file.py", "latentloop/metrics/pixels.py"]),
    ],
)
def test_what_measurements_run_counts(name: str, places: list[str]) -> None:
    assert set(places) <= set(upstream(named(name).roots, folders=FOLDERS, without=NEUTRAL))


def test_weights_cannot_change_without_a_source_that_counts() -> None:
    """Generators that share tensors are in one module, with the checksum of each file."""
    sources = upstream([PACKAGE / "model.py", PACKAGE / "benchmark" / "job.py"], folders=FOLDERS, without=NEUTRAL)
    text = "".join(sources.values())
    for path in ASSETS.glob("*.safetensors"):
        assert sha256(path.read_bytes()).hexdigest() in text, path.name
    for one in MEASUREMENTS:
        assert "latentloop/generators/registry.py" in upstream(one.roots, folders=FOLDERS, without=NEUTRAL), one.name


def sources_of_method(method: str) -> set[str]:
    return set(upstream(methods.PARTS, folders=FOLDERS, without=NEUTRAL + methods.without(method)))


RUN = ("run", "setup", "methods", "method_table", "finders", "targets", "protocols")
COUNTED = {"latentloop/features/lpips.py", "latentloop/generators/registry.py"}
COUNTED |= {f"latentloop/benchmark/{name}.py" for name in RUN}


@pytest.mark.parametrize(
    ("method", "own", "others"),
    [
        ("hybrid-50", "our_*.py", "latentloop/baselines/"),
        ("projector-1000", "../baselines/*.py", "latentloop/embedding/setup"),
    ],
)
def test_methods_depend_on_what_runs_them_and_on_all_of_their_own(method: str, own: str, others: str) -> None:
    found = sources_of_method(method)
    assert found >= COUNTED
    assert not any(place.startswith(others) for place in found)
    roots = [path.resolve() for path in (PACKAGE / "benchmark").glob(own)]
    aside = (*NEUTRAL, *methods.ASIDE, "latentloop/benchmark/method")  # these lead to all methods
    assert found >= set(upstream(roots, folders=FOLDERS, without=aside))


def test_methods_are_grouped_by_what_they_depend_on() -> None:
    found = methods.by_sources(["one-pass", "projector", "hybrid:10", "pti"])
    assert list(found.values()) == [["one-pass", "hybrid:10"], ["projector", "pti"]]
    assert list(found) == [methods.depends("hybrid-10"), methods.depends("pti-800")]
    with pytest.raises(UserError, match="unknown method 'hybird'; did you mean hybrid"):
        methods.by_sources(["hybird"])

"""The script that tries the built wheels: what it refuses."""

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("try_package")


def test_it_takes_the_one_wheel_of_a_distribution(script: ModuleType, tmp_path: Path) -> None:
    for name in ("latentloop-0.2.0-py3-none-any.whl", "latentloop_lite-0.2.0-py3-none-any.whl"):
        (tmp_path / name).touch()
    assert script.the_wheel(tmp_path, "latentloop").name == "latentloop-0.2.0-py3-none-any.whl"
    (tmp_path / "latentloop-0.1.0-py3-none-any.whl").touch()
    with pytest.raises(SystemExit, match=r"2 wheels of latentloop, 1 is needed"):
        script.the_wheel(tmp_path, "latentloop")


def test_results_must_be_there_and_not_empty(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(b"0")
    script.check_files(tmp_path, "face.png")
    (tmp_path / "face.npz").touch()
    for name in ("face.npz", "report.html"):
        with pytest.raises(SystemExit, match="was not written"):
            script.check_files(tmp_path, "face.png", name)


def test_the_package_must_come_from_its_wheel(script: ModuleType, tmp_path: Path) -> None:
    room = script.Room(tmp_path)
    script.check_place(f"0.2.0 {tmp_path / 'venv' / 'lib' / 'latentloop' / '__init__.py'}", room)
    with pytest.raises(SystemExit, match="not from its wheel"):
        script.check_place(f"0.2.0 {Path(__file__)}", room)


@pytest.mark.skipif(os.name == "nt", reason="runs a shell script")
def test_programs_run_without_the_modules_of_the_caller(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    room = script.Room(tmp_path)
    room.programs.mkdir(parents=True)
    program = room.programs / "show"
    program.write_text("#!/bin/sh\necho ${PYTHONPATH:-none}; pwd\n", encoding="utf-8")
    program.chmod(0o755)
    assert room.run("show").split() == ["none", str(tmp_path)]

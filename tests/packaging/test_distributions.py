"""The distributions hold what users need and nothing else; `make package` also installs and tries them."""

import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "latentloop"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = PROJECT["version"]
STRAY = {"__pycache__", ".git", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv", "node_modules"}
"""Folders that no distribution may have."""


def build(source: Path, out: Path, *options: str) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, capture_output=True)


def own_files() -> set[str]:
    """Files of the package as they lie in the repository."""
    paths = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(ROOT / "src").as_posix()) for path in paths}


def names(wheel: Path) -> set[str]:
    with ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Parser().parsestr(archive.read(name).decode())


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, the wheel built from it, and the wheel of latentloop-lite."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder)
    build(ROOT / "packaging" / "lite", folder, "--wheel")
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    return dist / f"latentloop-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="module")
def lite_wheel(dist: Path) -> Path:
    return dist / f"latentloop_lite-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="module")
def source(dist: Path) -> Iterator[tarfile.TarFile]:
    with tarfile.open(dist / f"latentloop-{VERSION}.tar.gz") as archive:
        yield archive


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    assert names(wheel) == own_files()
    assert {"latentloop/py.typed", "latentloop/assets/base-ffhq.safetensors"} <= names(wheel)


def test_the_wheel_of_the_source_distribution_is_that_of_the_repository(wheel: Path, tmp_path: Path) -> None:
    build(ROOT, tmp_path, "--wheel")
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_source_distribution_has_all_that_git_keeps(source: tarfile.TarFile) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no repository here")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    kept = {name for name in listed.split("\0") if name and (ROOT / name).is_file()}
    assert kept - {name.partition("/")[2] for name in source.getnames()} == set()


def test_no_cache_is_distributed(source: tarfile.TarFile, wheel: Path, lite_wheel: Path) -> None:
    shipped = [*source.getnames(), *names(wheel), *names(lite_wheel)]
    assert [name for name in shipped if STRAY & set(name.split("/"))] == []


def test_the_lite_wheel_has_the_graphs_and_the_weights_that_they_refer_to(lite_wheel: Path) -> None:
    shipped = names(lite_wheel)
    assert shipped < own_files() | {"latentloop/LICENSE"}
    assert {f"latentloop/assets/{path.name}" for path in (PACKAGE / "assets").glob("*.onnx")} <= shipped
    networks = {"mobile-ffhq-1024", "base-ffhq", "lpips-alex", "mobilefacenet", "mtcnn", "directions-ffhq"}
    weights = {Path(name).stem for name in shipped if name.endswith(".safetensors")}
    assert weights == networks


@pytest.mark.parametrize("kind", ["wheel", "lite_wheel"])
def test_licences_are_distributed(kind: str, request: pytest.FixtureRequest) -> None:
    with ZipFile(request.getfixturevalue(kind)) as archive:
        texts = [name for name in archive.namelist() if "LICENSE" in name or "NOTICE" in name or "/licenses/" in name]
    kept = {path.name for path in (PACKAGE / "assets" / "licenses").iterdir()}
    assert {Path(name).name for name in texts} >= {"LICENSE", "NOTICE.md"} | kept


def test_the_metadata_is_complete(wheel: Path) -> None:
    about = metadata(wheel)
    assert about["Version"] == VERSION
    assert about["Author"] == "latentloop contributors"
    assert about["Requires-Python"] == PROJECT["requires-python"]
    assert {line.split(",")[0] for line in about.get_all("Project-URL", [])} >= {"Homepage", "Documentation", "Issues"}
    pythons = [name for name in about.get_all("Classifier", []) if name.startswith("Programming Language :: Python")]
    assert {name.rsplit(" ", 1)[1] for name in pythons} == {"Only", "3.11", "3.12", "3.13"}


def test_the_page_of_the_package_has_no_relative_link(wheel: Path) -> None:
    page = str(metadata(wheel).get_payload())
    assert "](https://raw.githubusercontent.com/" in page
    places = re.findall(r"\]\(([^)\s]+)", page) + re.findall(r'(?:src|href)="([^"]+)', page)
    assert [place for place in places if not place.startswith(("https://", "#"))] == []


def test_both_distributions_have_one_version(lite_wheel: Path) -> None:
    assert metadata(lite_wheel)["Version"] == VERSION


def test_the_distributions_pass_the_checks_of_the_index(dist: Path) -> None:
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, sorted(dist.iterdir()))]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count("PASSED") == 3

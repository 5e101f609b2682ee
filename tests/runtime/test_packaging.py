"""The two distributions of the same modules."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[2]


def project(path: str) -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((TOP / path).read_text(encoding="utf-8"))
    return content


def test_latentloop_lite_needs_the_releases_that_latentloop_needs() -> None:
    lite, full = project("packaging/lite/pyproject.toml")["project"], project("pyproject.toml")["project"]
    known = {*full["dependencies"], *full["optional-dependencies"]["runtime"]}
    assert set(lite["dependencies"]) <= known
    assert not any(one.startswith("torch") for one in lite["dependencies"])
    assert lite["scripts"].items() <= full["scripts"].items()
    assert lite["requires-python"] == full["requires-python"]


def test_the_version_is_that_of_latentloop() -> None:
    hatch = project("packaging/lite/pyproject.toml")["tool"]["hatch"]["version"]
    source = (TOP / "packaging" / "lite" / hatch["path"]).read_text(encoding="utf-8")
    found = re.findall(hatch["pattern"], source)
    assert found == [project("pyproject.toml")["project"]["version"]]


def test_the_weights_that_the_runtime_reads_are_in_the_wheel() -> None:
    assets = TOP / "src/latentloop/assets"
    hook = (TOP / "packaging/lite/modules.py").read_text(encoding="utf-8")
    (packed,) = re.findall(r"^NETWORKS = \((.*)\)$", hook, flags=re.MULTILINE)
    files = json.loads((assets / "bundle.json").read_bytes())["files"]
    weights = {Path(name).stem for name in files if name.endswith(".safetensors")}
    assert len(weights) == 5
    assert set(re.findall(r'"([^"]+)"', packed)) == weights
    assert '(*NETWORKS, "directions-ffhq")' in hook

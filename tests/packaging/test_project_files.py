"""The files that hosts and tools read are valid, and agree with pyproject.toml."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

import latentloop

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOWS = ROOT / ".github" / "workflows"
FORMS = ROOT / ".github" / "ISSUE_TEMPLATE"
SCHEMAS = {
    **dict.fromkeys(WORKFLOWS.glob("*.yml"), "github-workflows"),
    **dict.fromkeys((path for path in FORMS.glob("*.yml") if path.stem != "config"), "github-issue-forms"),
    FORMS / "config.yml": "github-issue-config",
    ROOT / ".github" / "dependabot.yml": "dependabot",
    ROOT / "CITATION.cff": "citation-file-format",
}
"""Files, and the schemas that check-jsonschema brings for them."""
PAGES = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")]


def text(*place: str) -> str:
    return ROOT.joinpath(*place).read_text(encoding="utf-8")


def checked(*command: str | Path) -> None:
    """Run a tool; fail with what it prints if it finds something."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def tool(name: str) -> Path:
    """A program of this environment's, or else of the system's; the test is skipped where there is none."""
    found = shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return Path(found)


def pinned(name: str) -> str:
    """Version of a tool in the extra `dev`."""
    lines = PROJECT["optional-dependencies"]["dev"]
    (version,) = [line.partition("==")[2] for line in lines if line.startswith(f"{name}==")]
    return str(version)


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_files_follow_their_schemas(path: Path) -> None:
    checked(sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{SCHEMAS[path]}", path)


def test_workflows_have_least_permissions_and_pinned_actions() -> None:
    """As zizmor judges at its strictest, which also looks for injected commands and leaked credentials."""
    checked(tool("zizmor"), "--offline", "--pedantic", ".github")


def test_workflows_pass_actionlint() -> None:
    checked(tool("actionlint"), *sorted(WORKFLOWS.glob("*.yml")))


def test_the_dockerfile_passes_hadolint() -> None:
    checked(tool("hadolint"), ROOT / "Dockerfile")


def test_what_is_published_is_tested_first() -> None:
    publish, tests = (YAML(typ="safe").load(WORKFLOWS / f"{name}.yml") for name in ("publish", "tests"))
    uploads = publish["jobs"]["publish"]
    (job,) = [name for name, job in publish["jobs"].items() if job.get("uses") == "./.github/workflows/tests.yml"]
    assert job in uploads["needs"]
    assert "if" not in uploads, "skips what it needs"
    assert "workflow_call" in tests["on"]


def test_the_packages_of_python_and_of_the_page_are_kept_new() -> None:
    kept = YAML(typ="safe").load(ROOT / ".github" / "dependabot.yml")["updates"]
    places = {(update["package-ecosystem"], update["directory"]) for update in kept}
    assert places == {("github-actions", "/"), ("pip", "/"), ("npm", "/web")}


def test_every_python_that_the_metadata_names_is_tested() -> None:
    named = {found[1] for line in PROJECT["classifiers"] if (found := re.search(r":: (3\.\d+)$", line))}
    assert set(re.findall(r'python: "(3\.\d+)"', text(".github", "workflows", "tests.yml"))) == named


def test_the_oldest_and_the_current_torch_are_tested() -> None:
    (oldest,) = [line.removeprefix("torch>=") for line in PROJECT["dependencies"] if line.startswith("torch>=")]
    current = re.search(r"^TORCH \?= torch==(\S+)$", text("Makefile"), flags=re.MULTILINE)
    assert current is not None
    tested = set(re.findall(r"torch: (\d\S*?),?\s", text(".github", "workflows", "tests.yml")))
    assert tested == {f"{oldest}.0", current[1]}
    assert f"ARG TORCH={current[1]}\n" in text("Dockerfile")


def test_the_image_takes_addresses_of_the_hub() -> None:
    found = re.search(r"^ARG EXTRAS=(\S+)$", text("Dockerfile"), flags=re.MULTILINE)
    assert found is not None
    assert "hub" in found[1].split(",")
    assert set(found[1].split(",")) <= set(PROJECT["optional-dependencies"])


def test_one_version_stands_everywhere() -> None:
    version = PROJECT["version"]
    assert re.findall(r"^version: (\S+)$", text("CITATION.cff"), flags=re.MULTILINE) == [version]
    assert latentloop.__version__ == version, "installed from another version: pip install --editable ."


def test_the_hooks_take_the_tools_of_the_development_environment() -> None:
    (ruff,) = re.findall(r"ruff-pre-commit\n    rev: v(\S+)", text(".pre-commit-config.yaml"))
    assert ruff == pinned("ruff")
    checked(tool("pre-commit"), "validate-config")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_targets_exist(page: Path) -> None:
    words = page.read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", words) if "://" not in link]
    assert [link for link in links if link and not (ROOT / link).exists()] == []
    commands = re.findall(r"^(?:UV\S+ )?make ([a-z ]+?)(?:\s{2,}|$| INSTALL)", words, flags=re.MULTILINE)
    named = {target for command in commands for target in command.split()}
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), flags=re.MULTILINE))
    assert named <= targets


def test_places_for_new_parts_exist() -> None:
    """The paths and the names in the table of CONTRIBUTING.md."""
    table = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", text("CONTRIBUTING.md"), flags=re.MULTILINE)[1:]
    assert len(table) == 9
    package = ROOT / "src" / "latentloop"
    for _, code, registered in table:
        for place in re.findall(r"`([\w/]+(?:/|\.py))`", code + registered):
            assert "NAME" in place or (package / place).exists(), place
        if "](docs/" in registered:
            continue  # a page has the list: its links and names are tested as such
        *names, place = re.findall(r"`([\w/.]+)`", registered)
        sources = [package / place] if place.endswith(".py") else sorted((package / place).rglob("*.py"))
        found = "".join(source.read_text(encoding="utf-8") for source in sources if source.is_file())
        assert [name for name in names if "/" not in name and name not in found] == []

"""The runtime and its program work where PyTorch, and all that the full package alone needs, is not installed."""

import subprocess
import sys
from pathlib import Path

import pytest

from tiny_bundle import Bundle

# Not by None in sys.modules: tyro imports PyTorch if it finds the name there.
WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "matplotlib", "jinja2", "scipy", "sklearn", "cv2"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", f"{WITHOUT}\n{code}", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_importing_the_runtime_imports_no_torch() -> None:
    done = python("from latentloop.runtime import load, load_bundle, Networks, Runtime, Edited, Inverted")
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_runtime_imports_no_torch_that_is_none() -> None:
    words = [
        sys.executable,
        "-c",
        "import sys; sys.modules['torch'] = None; from latentloop.runtime import Runtime, load",
    ]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_the_package_is_imported_without_torch() -> None:
    done = python("import latentloop; latentloop.runtime.load; latentloop.UserError")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["Model", "load_generator", "read_image"])
def test_what_needs_torch_says_what_to_install(name: str) -> None:
    done = python(f"import latentloop\ntry: latentloop.{name}\nexcept ImportError as error: print(error)")
    assert done.stdout == f"latentloop.{name} needs PyTorch, which is not installed: pip install latentloop\n"


def test_commands_that_need_torch_say_what_to_install(portrait: Path) -> None:
    done = python("from latentloop.cli import main; sys.exit(main(sys.argv[1:]))", "embed", portrait)
    assert done.returncode == 2
    assert done.stderr == "latentloop: this needs PyTorch, which is not installed: pip install latentloop\n"


def test_a_photo_is_edited_without_torch(tiny_bundle: Bundle, portrait: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    where = ["--bundle", tiny_bundle(), "--out", out]
    code = "from latentloop.cli.lite import main; sys.exit(main(sys.argv[1:]))"
    done = python(code, "embed", portrait, "--aligned", *where)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in out.iterdir()) == ["aligned", "female-1.npz", "female-1.png"]

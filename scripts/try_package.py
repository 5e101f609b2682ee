"""Try the built wheels as their users will: in new environments, away from the repository.

    python scripts/try_package.py dist
    python scripts/try_package.py dist --only lite --python python3.13
    python scripts/try_package.py dist --torch "torch==2.13.0 --index-url ..."
    UV_TORCH_BACKEND=cpu python scripts/try_package.py dist --installer uv

Each wheel is installed with its dependencies, without the repository, and embeds or edits a sample photo.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import tyro

PHOTO = Path(__file__).parents[1] / "examples" / "photos" / "female-1.jpg"
NO_TORCH = "import importlib.util as found, sys; sys.exit(found.find_spec('torch') is not None)"
WHERE = "import latentloop; print(latentloop.__version__, latentloop.__file__)"


@dataclass(frozen=True)
class Room:
    """A new virtual environment, and an empty folder to work in."""

    folder: Path
    installer: Literal["pip", "uv"] = "pip"

    @property
    def programs(self) -> Path:
        """Folder of the environment's programs."""
        return self.folder / "venv" / ("Scripts" if os.name == "nt" else "bin")

    def run(self, program: str, *arguments: object) -> str:
        """Run a program of the environment and return what it prints; raises `CalledProcessError` if it fails."""
        return self._run(self.programs / program, *arguments)

    def install(self, *packages: object) -> None:
        """Install packages into the environment."""
        if self.installer == "uv":
            self._run("uv", "pip", "install", "--quiet", "--python", self.folder / "venv", *packages)
        else:
            self.run("python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)

    def _run(self, *command: object) -> str:
        # Neither the repository nor the caller's environment may lend a module.
        inherited = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
        done = subprocess.run(  # noqa: S603
            [*map(str, command)], cwd=self.folder, env=inherited, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout


@dataclass(frozen=True)
class TryPackage:
    """Install wheels in new environments and use them."""

    dist: Annotated[Path, tyro.conf.Positional]
    """Folder with the wheels."""
    only: Literal["full", "lite", "both"] = "both"
    """Wheel to try: latentloop, latentloop-lite or both."""
    python: str = sys.executable
    """Interpreter of the new environments."""
    torch: str = "torch==2.13.0"
    """What is installed before latentloop: the build of PyTorch, and options of the installer."""
    installer: Literal["pip", "uv"] = "pip"
    """Program that installs. uv takes the build of PyTorch from the variable UV_TORCH_BACKEND."""

    def run(self) -> None:
        """Try the wheels, and print what happened."""
        if self.only != "lite":
            self._try("latentloop", embeds_a_photo, *self.torch.split())
        if self.only != "full":
            self._try("latentloop_lite", edits_a_photo)

    def _try(self, name: str, use: Callable[[Room], str], *first: str) -> None:
        began = time.monotonic()
        wheel = the_wheel(self.dist, name)
        with TemporaryDirectory(prefix="try-package-") as folder:
            room = Room(Path(folder), self.installer)
            subprocess.run([self.python, "-m", "venv", room.folder / "venv"], check=True)  # noqa: S603
            if first:
                room.install(*first)
            room.install(wheel)
            print(f"{wheel.name}: {use(room)} ({time.monotonic() - began:.0f} s)")


def the_wheel(dist: Path, name: str) -> Path:
    """Find the one wheel of a distribution, e.g. `latentloop_lite`, in a folder.

    Raises:
        SystemExit: There is none, or more than one.
    """
    wheels = sorted(dist.resolve().glob(f"{name}-*.whl"))
    if len(wheels) != 1:
        sys.exit(f"{dist}: {len(wheels)} wheels of {name}, 1 is needed; make package builds it")
    return wheels[0]


def embeds_a_photo(room: Room) -> str:
    """Embed the sample photo with the quickest settings; return a line that says where and with which result."""
    found = room.run("python", "-c", WHERE).strip()
    shown = room.run("latentloop", "--version").strip()
    room.run("latentloop", "embed", PHOTO, "--quality", "instant", "--out", "found")
    check_files(room.folder / "found", "female-1.npz", "female-1.png", "report.html", "results.json")
    check_place(found, room)
    return f"{shown} embeds a photo"


def edits_a_photo(room: Room) -> str:
    """Edit the sample photo without PyTorch; return a line that says with which version."""
    room.run("python", "-c", NO_TORCH)
    found = room.run("python", "-c", WHERE).strip()
    shown = room.run("latentloop-lite", "--version").strip()
    room.run("latentloop-lite", "edit", PHOTO, "--set", "smile=1", "--out", "edited")
    check_files(room.folder / "edited", "female-1-smile1.png")
    check_place(found, room)
    return f"{shown} edits a photo without PyTorch"


def check_files(folder: Path, *names: str) -> None:
    """Stop the program with a message if a file is missing or empty."""
    for name in names:
        if not (folder / name).is_file() or not (folder / name).stat().st_size:
            sys.exit(f"{folder / name} was not written")


def check_place(found: str, room: Room) -> None:
    """Stop the program with a message if the module was imported from outside of the environment."""
    place = Path(found.split(" ", 1)[1]).resolve()
    if not place.is_relative_to((room.folder / "venv").resolve()):
        sys.exit(f"latentloop was imported from {place}, not from its wheel")


if __name__ == "__main__":
    tyro.cli(TryPackage).run()

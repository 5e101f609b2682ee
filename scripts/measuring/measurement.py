"""A measurement: a command, how its outcome is read, and what the figures depend on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from measuring.sources import PACKAGE, ROOT, checksum

JSON = "{json}"
"""Word of a command line in place of the file that it writes."""


@dataclass(frozen=True)
class Measurement:
    """A command that makes figures.

    A word of the command such as "{held_out}" stands for a folder that the user names; "{json}" for a new file that the
    command writes its figures into.
    """

    name: str
    """Name of its record and of its place in the documentation."""
    about: str
    """Description on one line."""
    command: tuple[str, ...]
    """Words after `python`."""
    read: Callable[[str, Path], object]
    """Function that takes what the command printed, and its JSON file, and returns the figures."""
    parts: tuple[str, ...] = ()
    """Modules of latentloop that it runs, beside those that its script imports, such as "cli/edit.py"."""
    minutes: float = 1.0
    """Minutes that it takes on two virtual processors, about."""

    @property
    def shown(self) -> str:
        """Command as documentation shows it, with capital letters for the user's folders."""
        words = self.command[:-2] if self.command[-1] == JSON else self.command  # without the option of the file
        words = words[2:] if words[:2] == ("-m", "latentloop") else ("python", *words)
        shown = [word.strip("{}").upper().replace("_", "-") if word.startswith("{") else word for word in words]
        return " ".join(["latentloop", *shown] if self.command[0] == "-m" else shown)

    @property
    def roots(self) -> list[Path]:
        """Files that the figures depend on, with all that these import: its script and its parts."""
        scripts = [ROOT / word for word in self.command[:1] if word.endswith(".py")]
        return [*scripts, *(PACKAGE / part for part in self.parts)]

    @property
    def depends(self) -> str:
        """Checksum of what the figures depend on: its command, and its sources with all that these import."""
        return checksum(self.roots, command=self.command)

    @property
    def folders(self) -> list[str]:
        """Names of the user's folders that the command needs."""
        return [word.strip("{}") for word in self.command if word.startswith("{") and word != JSON]

    def words(self, folders: Mapping[str, Path | None], file: Path) -> list[str]:
        """Fill in the user's folders and the JSON file.

        Raises:
            LookupError: A folder is not named.
        """
        if missing := [name for name in self.folders if folders.get(name) is None]:
            options = ", ".join(f"--{name.replace('_', '-')} FOLDER" for name in missing)
            raise LookupError(f"{self.name}: needs {options}")
        known = {f"{{{name}}}": str(folder) for name, folder in folders.items()} | {JSON: str(file)}
        return [known.get(word, word) for word in self.command]

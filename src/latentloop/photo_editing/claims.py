"""Names of results in a folder of edits, and the signatures that identify equal results; imports no PyTorch.

A signature identifies what a result was made from. It is stored in the file itself, so that only the same result may
replace it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from latentloop.errors import UserError
from latentloop.files import refuse_overwriting
from latentloop.latents.plain_code import load_plain_code
from latentloop.ownership import MARK, is_mark, mark, mark_in, refuse_links
from latentloop.stamps import Stamp, key_of
from latentloop.video.files import media_comment

Kind = Literal["edit", "morph", "embed"]
"""Kind of a result: "edit" for latentloop edit, mix and transfer, "morph" and "embed" for those commands."""
SHORT_KEY = 6
"""Number of a signature's hexadecimal digits that separate results of the same name."""


def signature_of(stamp: Stamp, kind: Kind = "edit") -> str:
    """Compute the signature of a result.

    Args:
        stamp: Inputs and settings that the result depends on.
        kind: Kind of the result.
    """
    return mark(kind, key_of(stamp))


def short_key(signature: str) -> str:
    """Shorten a signature to a few digits for a file name."""
    return signature.rpartition(" ")[2][:SHORT_KEY]


def signature_in(path: Path, kind: Kind = "edit") -> str | None:
    """Read the signature in a .png, .gif, .mp4, .npz or .json file; None if it has none of that kind."""
    readers = {".mp4": media_comment, ".npz": _of_code}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        return mark_in(path, kind)
    try:
        text = reader(path) if path.is_file() else None
    except (OSError, ValueError):  # a name that no file can have, such as one with a null byte
        return None
    return text if is_mark(text, kind) else None


@dataclass(frozen=True)
class Claim:
    """A name reserved for a result in a folder."""

    name: str
    """Base name of the result's files."""
    signature: str
    """Signature that each of its files carries."""


@dataclass(frozen=True)
class Claims:
    """Reserved names of results in a folder: those of earlier runs, and those reserved in this one.

    If another result has a name, the next one gets the first digits of its signature's key appended: NAME-3fa2c1.
    Foreign files and files that results are made from are never replaced.
    """

    path: Path
    """Folder of the results; it need not exist."""
    sources: Sequence[str] = ()
    """Files that results are made from."""
    kind: Kind = "edit"
    """Kind of the results."""
    _claimed: dict[str, str] = field(default_factory=dict)  # signatures by casefolded paths: Anna.png may be anna.png

    def file(self, pattern: str, name: str) -> Path:
        """Return the path of a result's file, from a pattern such as "strips/{}.png"."""
        return self.path / pattern.format(name)

    def claim(self, name: str, stamp: Stamp, patterns: Sequence[str], sources: Sequence[Path] = ()) -> Claim:
        """Reserve a name, with a key appended if another result has it.

        Args:
            name: Preferred name.
            stamp: Inputs and settings that the result depends on.
            patterns: Patterns of all its files.
            sources: Additional files that it is made from.

        Raises:
            UserError: A foreign file or a source is in the way, or this run has made the same result already.
        """
        refuse_links(*{self.file(pattern, name).parent for pattern in patterns} - {self.path})
        signature = signature_of({"name": name, **stamp}, self.kind)
        for one in (name, f"{name}-{short_key(signature)}"):
            files = [self.file(pattern, one) for pattern in patterns]
            if signature in map(self._claimed.get, map(_casefolded, files)):
                raise UserError(
                    f"two results would be called {one}; put one of them into another folder", arguments="out"
                )
            if self.signatures(files, sources) <= {signature}:
                self._claimed.update(dict.fromkeys(map(_casefolded, files), signature))
                return Claim(one, signature)
        raise UserError(f"{name}: other results have this name; choose another folder", arguments="out")

    def signatures(self, files: Iterable[Path], sources: Iterable[Path] = ()) -> set[str]:
        """Return the signatures of the results that own these files, in the folder or in this run.

        Raises:
            UserError: A file is foreign, or a source.
        """
        all_sources, found = [*map(Path, self.sources), *sources], set[str]()
        for file in files:
            signature = self._claimed.get(_casefolded(file)) or signature_in(file, self.kind)
            refuse_overwriting(file, all_sources, ours=signature is not None)
            found |= {signature} if signature else set()
        return found


def _of_code(path: Path) -> object:
    try:
        return load_plain_code(path).details.get(MARK)
    except UserError:
        return None


def _casefolded(path: Path) -> str:
    return str(path).casefold()

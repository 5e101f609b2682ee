"""Names of results in a folder of edits, and the signatures by which the same result is known; without PyTorch.

A signature says what a result was made from. It is in the file itself, so that only the same result may replace it.
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
"""Kind of a result: of latentloop edit, mix and transfer, of latentloop morph, or of latentloop embed."""
SHORT_KEY = 6
"""Hexadecimal digits of a signature that tell results of one name apart."""


def signature_of(stamp: Stamp, kind: Kind = "edit") -> str:
    """Make the signature of a result.

    Args:
        stamp: What the result is made from, and how.
        kind: Kind of the result.
    """
    return mark(kind, key_of(stamp))


def short_key(signature: str) -> str:
    """Shorten a signature to digits for a file's name."""
    return signature.rpartition(" ")[2][:SHORT_KEY]


def signature_in(path: Path, kind: Kind = "edit") -> str | None:
    """Read the signature in a .png, .gif, .mp4, .npz or .json file; None if there is none of that kind."""
    readers = {".mp4": media_comment, ".npz": _of_code}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        return mark_in(path, kind)
    try:
        text = reader(path) if path.is_file() else None
    except (OSError, ValueError):  # no name that a file can have
        return None
    return text if is_mark(text, kind) else None


@dataclass(frozen=True)
class Claim:
    """A name that a result has taken in a folder."""

    name: str
    """The name, of which the result's files have theirs."""
    signature: str
    """Signature that each of them carries."""


@dataclass(frozen=True)
class Claims:
    """The names that results have in a folder: those of earlier runs, and those taken in this one.

    Where another result has a name, the next one is called by that and the beginning of its signature's key:
    NAME-3fa2c1. A file of someone else, and one that results are made from, are refused.
    """

    path: Path
    """The folder; it need not exist."""
    sources: Sequence[str] = ()
    """Files that results are made from."""
    kind: Kind = "edit"
    """Kind of the results."""
    _claimed: dict[str, str] = field(default_factory=dict)  # signatures by casefolded paths: Anna.png may be anna.png

    def file(self, pattern: str, name: str) -> Path:
        """Path of a result's file of some kind, such as "strips/{}.png"."""
        return self.path / pattern.format(name)

    def claim(self, name: str, stamp: Stamp, patterns: Sequence[str], sources: Sequence[Path] = ()) -> Claim:
        """Take the name, or, where another result has it, the name with a key.

        Args:
            name: The name that the result has if no other result has it.
            stamp: What it is made from, and how.
            patterns: Patterns of all its files.
            sources: Further files that it is made from.

        Raises:
            UserError: A file of someone else or a source is in the way, or this run has made the same result already.
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
        """Signatures of the results that have these files, in the folder or in this run.

        Raises:
            UserError: One is of someone else, or a source.
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

"""Addresses of files on the Hub."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from os import PathLike, fspath

from latentloop.errors import UserError

PREFIX = "hf://"
ADDRESS = re.compile(r"hf:[/\\]{1,2}(?=[^/\\])")
"""Beginning of an address; `Path` makes one slash of two."""
CODES = (".npz", ".npy", ".pt")
"""Endings of files with codes, which stand where photos do, too."""
SYNTAX = "hf://OWNER/REPO[/FILE][@REVISION]"


@dataclass(frozen=True)
class HubAddress:
    """A file on the Hub, as its parts."""

    repo: str
    """Repository, as OWNER/NAME."""
    file: str | None = None
    """Path of the file in the repository; None for the only one that will do."""
    revision: str | None = None
    """Branch, tag or commit; None for the main branch."""
    within: str | None = None
    """Name of a direction in the file; None for the file itself."""

    def __str__(self) -> str:
        within = f":{self.within}" if self.within else ""
        return PREFIX + self.repo + (f"/{self.file}" if self.file else "") + self._at + within

    @property
    def _at(self) -> str:
        return f"@{self.revision}" if self.revision else ""


def is_address(name_or_path: str | PathLike[str]) -> bool:
    """Tell whether a name is an address on the Hub."""
    return ADDRESS.match(fspath(name_or_path)) is not None


def parse_address(text: str | PathLike[str]) -> HubAddress:
    """Split an address into its parts: `hf://OWNER/REPO[/FILE][@REVISION][:DIRECTION]`.

    Raises:
        UserError: It is none.
    """
    rest, _, within = ADDRESS.sub("", fspath(text), count=1).replace("\\", "/").partition(":")
    place, _, revision = rest.partition("@")
    parts = place.split("/")
    if not is_address(text) or len(parts) < 2 or {"", ".", ".."} & {*parts, *(revision.split("/") if revision else ())}:
        raise UserError(f"{fspath(text)}: not an address on the Hub; write {SYNTAX}")
    return HubAddress("/".join(parts[:2]), "/".join(parts[2:]) or None, revision or None, within or None)


def refuse_photo_address(name: str | PathLike[str], *, but: Collection[str] = ()) -> None:
    """Raise an error for a photo's address: only weights, codes and directions are taken from the Hub.

    Args:
        name: What may be an address.
        but: Endings of files that are no photos; with any, an address without a file is none of a photo, either.

    Raises:
        UserError: It is an address of a photo.
    """
    if not is_address(name):
        return
    address = parse_address(name)
    if not but or (address.file and not address.file.lower().endswith(tuple(but))):
        problem = "photos are not taken from the Hub; download it first, with: hf download"
        raise UserError(f"{fspath(name)}: {problem} {address.repo} {address.file or ''}".rstrip())


def is_exact(address: HubAddress) -> bool:
    """Tell whether an address, written out, is printable and means the same again.

    A file whose name has an @ or a colon cannot be named by an address.
    """
    text = str(address)
    try:
        return text.isprintable() and parse_address(text) == address
    except UserError:
        return False

"""Files of the Hub as files of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from types import ModuleType

from latentloop.errors import UserError, shown
from latentloop.hub.addresses import CODES, HubAddress, is_address, parse_address, refuse_photo_address
from latentloop.hub.client import load_client, ourselves, why_unreachable
from latentloop.hub.explaining import explaining, some_of
from latentloop.hub.kinds import cached_path, kind_of
from latentloop.hub.listing import COMMIT, Listing, forget_listings, keep, listing_of

ENDINGS = (".safetensors", ".pkl", ".pt", ".pth", ".ckpt", ".bin", ".npz", ".npy")
"""Endings of files that may hold weights, codes or directions."""
SAFETENSORS = ENDINGS[0]
GENERATORS = ("mobilestylegan", "stylegan1", "stylegan2", "stylegan3")
"""Kinds of our files that hold generators, as `generator_file.BUILDERS` has them; known here without PyTorch."""
MAX_LOOKS = 20
"""Most headers of safetensors files that are read to find ours among them; each is a request."""
MAX_UNNAMED = 4_000_000_000
"""Largest file, in bytes, that is downloaded without being named: the published checkpoints of StyleGANs and of pSp and
e4e stay well below it, and larger files are mostly other kinds of models."""


@dataclass(frozen=True)
class HubFile:
    """A file of the Hub that is here."""

    address: HubAddress
    """Its address; the revision is a commit's hash."""
    path: Path
    """Its copy in the client's cache."""


def local_name(name: str | PathLike[str], *kinds: str) -> str:
    """Download what an address names, unless it is here, and give its path; any other name stays as it is.

    An address with a direction's name, hf://OWNER/REPO/FILE:NAME, becomes PATH:NAME. A process asks once for each
    repository and revision: what they name does not change while the process runs.

    Args:
        name: An address, or the name or path of anything else.
        kinds: Kinds of our own files that will do, where the address names no file.

    Raises:
        UserError: There is no such file, it cannot be downloaded, or huggingface_hub is not installed.
    """
    if not is_address(name):
        return fspath(name)
    found = fetch(parse_address(name), *kinds)
    return f"{found.path}:{found.address.within}" if found.address.within else str(found.path)


def local_codes(name: str | PathLike[str]) -> str:
    """Do as `local_name` where photos are taken, too: of an address, only codes.

    Raises:
        UserError: As `local_name`, or it is an address of a photo.
    """
    refuse_photo_address(name, but=CODES)
    return local_name(name)


def pinned(name: str, *kinds: str) -> str:
    """Write an address with its file and commit, so that it means the same for ever; any other name stays as it is.

    Args:
        name: An address, or the name or path of anything else.
        kinds: As of `local_name`.

    Raises:
        UserError: As `local_name`.
    """
    return str(fetch(parse_address(name), *kinds).address) if is_address(name) else name


def source_of(name: str | None, *kinds: str) -> str | None:
    """Say where on the Hub a file comes from, by file and commit; None for what is not from there."""
    return pinned(name, *kinds) if name and is_address(name) else None


@lru_cache(maxsize=256)
def fetch(address: HubAddress, *kinds: str) -> HubFile:
    """Download a file, unless it is in the client's cache; arguments as of `local_name`.

    Raises:
        UserError: There is no such file, it cannot be downloaded, or huggingface_hub is not installed.
    """
    hub = load_client(str(address))
    with explaining(hub, address):
        if address.file and COMMIT.fullmatch(address.revision or ""):
            return HubFile(address, _download(hub, address, address.file))
        listing = listing_of(address.repo, address.revision)
        there = replace(address, revision=listing.commit)
        file = address.file or _choose(hub, there, listing, kinds, asked=address)
        path = _download(hub, there, file)
        if listing.online:
            keep(hub, address, listing)
    return HubFile(replace(there, file=file), path)


def forget() -> None:
    """Ask the Hub again when an address is next used, as after a file was published."""
    fetch.cache_clear()
    forget_listings()


def _download(hub: ModuleType, address: HubAddress, file: str) -> Path:
    return Path(hub.hf_hub_download(address.repo, file, revision=address.revision, **ourselves()))


def _choose(hub: ModuleType, there: HubAddress, listing: Listing, kinds: Sequence[str], *, asked: HubAddress) -> str:
    """The file that is meant where the address names none; UserError if that is not certain, or the file is large."""
    weights = [file for file in listing.sizes if file.lower().endswith(ENDINGS)]
    if len(weights) == 1 and listing.complete:
        file = weights[0]
        _refuse_other_kind(hub, there, file, kinds, listing, asked=asked)
    else:
        file = _ours(hub, there, listing, weights, kinds, asked=asked)
    size = listing.sizes[file]
    if (size is None or size > MAX_UNNAMED) and cached_path(hub, there, file) is None and listing.online:
        large = "an unknown size" if size is None else f"{size / 1e9:.1f} GB"
        raise UserError(f"{asked}: {file} has {large}; to download it, name it: {replace(asked, file=file)}")
    return file


def _refuse_other_kind(
    hub: ModuleType, there: HubAddress, file: str, kinds: Sequence[str], listing: Listing, *, asked: HubAddress
) -> None:
    """Raise a UserError for a file of ours that is of none of the wanted kinds, before it is downloaded."""
    known = kinds and file.endswith(SAFETENSORS)
    kind = kind_of(hub, there, file, cached_only=not listing.online) if known else None
    if kind and kind not in kinds:
        raise UserError(f"{asked}: its only file, {file}, holds {shown(kind)}, not {' or '.join(kinds)}")


def _ours(
    hub: ModuleType,
    there: HubAddress,
    listing: Listing,
    weights: Sequence[str],
    kinds: Sequence[str],
    *,
    asked: HubAddress,
) -> str:
    """The only one of several files that latentloop wrote and that is of a wanted kind; UserError if there is none."""
    few = [file for file in weights if file.endswith(SAFETENSORS)]
    found = {file: kind_of(hub, there, file, cached_only=not listing.online) for file in few[:MAX_LOOKS]}
    ours = [file for file, kind in found.items() if kind and (not kinds or kind in kinds)]
    if len(ours) == 1 and len(few) <= MAX_LOOKS and (listing.online or kinds):
        return ours[0]
    if not weights and listing.complete:
        raise UserError(f"{asked}: holds no file of weights, codes or directions, but {some_of(listing.sizes)}")
    if not listing.online:
        here = [file for file in weights if cached_path(hub, there, file)]
        named = replace(asked, file=here[0] if here else "FILE")
        problem = f"{why_unreachable(hub)}, and the cache does not tell which file is meant"
        raise UserError(f"{asked}: {problem}; name it, as in {named}; in the cache is {some_of(here)}")
    named = replace(asked, file=(ours or weights)[0])
    raise UserError(f"{asked}: holds several files, name one, as in {named}; it has {some_of(ours or weights)}")

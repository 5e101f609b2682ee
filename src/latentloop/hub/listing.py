"""The files of a repository at a revision, from the Hub, or as they were when it last answered."""

import json
import re
import threading
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from latentloop.errors import Notice, UserError
from latentloop.files import replacing
from latentloop.hub.addresses import HubAddress, is_exact
from latentloop.hub.client import is_unreachable, load_client, ourselves, why_unreachable
from latentloop.json_files import read_json

MAIN = "main"
"""Branch that is meant where no revision is named, as the Hub has it."""
COMMIT = re.compile(r"[0-9a-f]{40}")
"""A commit's hash."""
TIMEOUT = 20.0
"""Seconds to wait for the list of a repository's files."""
KEPT = "latentloop"
"""Folder, in the client's cache of a repository, with the names of its files by commit."""
_asking = threading.Lock()


@dataclass(frozen=True)
class Listing:
    """Files of a repository."""

    commit: str
    """The commit's hash."""
    sizes: Mapping[str, int | None]
    """Bytes of each file by its path, as far as they are known."""
    online: bool = True
    """Whether the Hub was asked, rather than the cache."""
    complete: bool = True
    """Whether these are all files; otherwise those in the cache."""


def ask(hub: ModuleType, address: HubAddress) -> Listing:
    """Ask the Hub for the files of a revision; those that no address can name are left out.

    Args:
        hub: The client.
        address: Repository and revision.
    """
    api = hub.HfApi(**ourselves())
    info = api.model_info(address.repo, revision=address.revision, timeout=TIMEOUT, files_metadata=True)
    sizes = {one.rfilename: one.size for one in info.siblings or ()}
    return Listing(info.sha, {file: sizes[file] for file in _named(address, info.sha, sizes)})


def listing_of(repo: str, revision: str | None) -> Listing:
    """List a repository's files, once in a process: its revision means the same commit while the process runs.

    Where the Hub cannot be asked, the commit in the client's cache counts; a `Notice` says so, unless HF_HUB_OFFLINE
    asks for it.
    """
    with _asking:
        return _listing_of(repo, revision)


def forget_listings() -> None:
    """Ask the Hub again when a file is next needed."""
    _listing_of.cache_clear()


@lru_cache(maxsize=256)
def _listing_of(repo: str, revision: str | None) -> Listing:
    address = HubAddress(repo, None, revision)
    hub = load_client(str(address))
    try:
        return ask(hub, address)
    except (OSError, hub.errors.HTTPError) as error:
        kept = _kept(hub, address) if is_unreachable(hub, error) else None
        if kept is None:
            raise
        if not (hub.constants.HF_HUB_OFFLINE or COMMIT.fullmatch(revision or "")):
            instead = f"commit {kept.commit} in the cache is used, maybe an older one"
            warnings.warn(Notice(f"{address}: {why_unreachable(hub, error)}; {instead}"), stacklevel=2)
        return kept


def keep(hub: ModuleType, address: HubAddress, listing: Listing) -> None:
    """Note the commit of a revision, as the client does, and the names of its files, for when the Hub is out of reach.

    Args:
        hub: The client.
        address: Repository and revision, as they were asked for.
        listing: The files there.
    """
    folder = _folder(hub, address.repo)
    notes = {folder / KEPT / f"{listing.commit}.json": json.dumps(sorted(listing.sizes))}
    if address.revision != listing.commit:
        notes[folder / "refs" / (address.revision or MAIN)] = listing.commit
    with suppress(OSError, UserError):  # a cache that may only be read
        for path, text in notes.items():
            if not (path.is_file() and path.read_text(encoding="utf-8") == text):
                with replacing(path) as part:
                    part.write_text(text, encoding="utf-8")


def _kept(hub: ModuleType, address: HubAddress) -> Listing | None:
    """Files of the revision in the client's cache, laid out as its documentation says; None without one."""
    folder, commit = _folder(hub, address.repo), address.revision or MAIN
    with suppress(OSError):
        commit = (folder / "refs" / commit).read_text(encoding="utf-8").strip()
    snapshot = folder / "snapshots" / commit
    if not snapshot.is_dir():
        return None
    here = {path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()}
    cached = Listing(commit, dict.fromkeys(_named(address, commit, sorted(here))), online=False, complete=False)
    with suppress(OSError, ValueError):
        names = read_json(folder / KEPT / f"{commit}.json")
        if isinstance(names, list) and here <= {*map(str, names)}:
            return replace(cached, sizes=dict.fromkeys(_named(address, commit, map(str, names))), complete=True)
    return cached


def _named(address: HubAddress, commit: str, files: Iterable[str]) -> list[str]:
    """Those of a repository's files that an address can name."""
    return [file for file in files if is_exact(HubAddress(address.repo, file, commit))]


def _folder(hub: ModuleType, repo: str) -> Path:
    name: str = hub.file_download.repo_folder_name(repo_id=repo, repo_type="model")
    return Path(hub.constants.HF_HUB_CACHE) / name

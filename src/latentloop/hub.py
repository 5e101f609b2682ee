"""Files on the Hugging Face Hub, named by addresses such as hf://OWNER/REPO/FILE@REVISION.

The client `huggingface_hub` downloads, caches and logs in; here an address becomes the path of a local file. What is
downloaded is somebody else's: it goes through the same readers as any other file, none of which executes anything.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from latentloop.errors import UserError, in_one_line
from latentloop.extras import load_extra
from latentloop.safetensors_header import KIND, kind_in
from latentloop.version import __version__

PREFIX = "hf://"
ADDRESS = re.compile(r"hf:[/\\]{1,2}(?=[^/\\])")
"""Beginning of an address; `Path` makes one slash of two."""
SYNTAX = "hf://OWNER/REPO[/FILE][@REVISION]"
ENDINGS = (".safetensors", ".pkl", ".pt", ".pth", ".ckpt", ".bin", ".npz", ".npy")
"""Endings of files that may hold weights, codes or directions."""
SAFETENSORS = ENDINGS[0]
GENERATORS = ("mobilestylegan", "stylegan1", "stylegan2", "stylegan3")
"""Kinds of our files that hold generators, as `generator_file.BUILDERS` has them; known here without PyTorch."""
MAIN = "main"
"""Branch that is meant where no revision is named, as the Hub has it."""
MAX_LOOKS = 20
"""Most headers of safetensors files that are read to find ours among them; each is a request."""
MAX_LISTED = 8
"""Most files that a message lists."""
TIMEOUT = 20.0
"""Seconds to wait for the list of a repository's files."""
LOGIN = "log in with: hf auth login"
ADVICE = {401: LOGIN, 403: "this account, or its token, may not do that"}
"""What to do about what the Hub answers, by HTTP status."""
UNREACHABLE = "not in the cache, and {why}; try again when connected, or name a local copy"
UNSENT = "{why}; try again when connected"
REASONS = (
    ("GatedRepoError", "its owner asks for an agreement; give it at {page}, then " + LOGIN),
    ("RepositoryNotFoundError", "no such repository, or a private one: for a private one " + LOGIN),
    ("RevisionNotFoundError", "no such revision; a branch, tag or commit comes last: hf://{repo}/FILE@main"),
    ("EntryNotFoundError", "no such file in the repository{files}"),
    ("HFValidationError", f"not an address; write {SYNTAX}"),
)
"""What the client's errors mean, by class; the first that fits counts."""


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


@dataclass(frozen=True)
class HubFile:
    """A file of the Hub that is here."""

    address: HubAddress
    """Its address; the revision is a commit's hash."""
    path: Path
    """Its copy in the client's cache."""


def is_address(name_or_path: str | PathLike[str]) -> bool:
    """Tell whether a name is an address on the Hub."""
    return ADDRESS.match(fspath(name_or_path)) is not None


def parse_address(text: str | PathLike[str]) -> HubAddress:
    """Split an address into its parts: hf://OWNER/REPO[/FILE][@REVISION][:DIRECTION].

    Raises:
        UserError: It is none.
    """
    rest, _, within = ADDRESS.sub("", fspath(text), count=1).replace("\\", "/").partition(":")
    place, _, revision = rest.partition("@")
    parts = place.split("/")
    if not is_address(text) or len(parts) < 2 or {"", ".", ".."} & {*parts, *(revision.split("/") if revision else ())}:
        raise UserError(f"{fspath(text)}: not an address on the Hub; write {SYNTAX}")
    return HubAddress("/".join(parts[:2]), "/".join(parts[2:]) or None, revision or None, within or None)


def local_name(name: str | PathLike[str], *kinds: str) -> str:
    """Download what an address names, unless it is here, and give its path; any other name stays as it is.

    An address with a direction's name, hf://OWNER/REPO/FILE:NAME, becomes PATH:NAME. A process asks once for each
    address: what it names does not change while the process runs.

    Args:
        name: An address, or the name or path of anything else.
        kinds: Kinds of our own files that will do, where the address names no file and the repository has several.

    Raises:
        UserError: There is no such file, it cannot be downloaded, or huggingface_hub is not installed.
    """
    if not is_address(name):
        return fspath(name)
    found = fetch(parse_address(name), *kinds)
    return f"{found.path}:{found.address.within}" if found.address.within else str(found.path)


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
        file, revision = address.file, address.revision
        if file is None:
            revision, files = list_files(hub, address)
            file = _choose(hub, replace(address, revision=revision), files, kinds, asked=address)
        path = Path(hub.hf_hub_download(address.repo, file, revision=revision, **ourselves()))
    commit = path.parents[len(PurePosixPath(file).parts) - 1].name  # .../snapshots/COMMIT/FILE
    return HubFile(replace(address, file=file, revision=commit), path)


def load_client(what: str) -> ModuleType:
    """Import huggingface_hub.

    Args:
        what: What needs it, for the message.

    Raises:
        UserError: It is not installed.
    """
    return load_extra("huggingface_hub", f"{what}: the Hugging Face Hub needs huggingface_hub", "latentloop[hub]")


def ourselves() -> dict[str, str]:
    """Name of this package and its version, for the client to tell the Hub."""
    return {"library_name": "latentloop", "library_version": __version__}


def list_files(hub: ModuleType, address: HubAddress, *, cached: bool = True) -> tuple[str, list[str]]:
    """List a repository's files at a revision, after its commit.

    Args:
        hub: The client.
        address: Repository and revision.
        cached: Whether the files in the cache will do where the Hub cannot be asked.
    """
    try:
        info = hub.HfApi(**ourselves()).model_info(address.repo, revision=address.revision, timeout=TIMEOUT)
    except (OSError, hub.errors.HTTPError) as error:
        folder = _cached(hub, address) if cached and _is_unreachable(hub, error) else None
        if folder is None:
            raise
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        return folder.name, files
    return info.sha, [one.rfilename for one in info.siblings or ()]


@contextmanager
def explaining(hub: ModuleType, address: HubAddress, *, reading: bool = True) -> Iterator[None]:
    """Turn the client's errors within the block into a line that says what to do.

    Args:
        hub: The client.
        address: What is read or written.
        reading: Whether a copy in the cache would have done.

    Raises:
        UserError: The client raised an error.
    """
    try:
        yield
    except (OSError, ValueError, hub.errors.HTTPError, hub.errors.EntryNotFoundError) as error:
        raise UserError(f"{address}: {_reason(hub, error, address, reading=reading)}") from error
    except RuntimeError as error:  # by which the client says that an upload failed
        if not isinstance(error.__cause__, Exception):
            raise
        raise UserError(f"{address}: {_reason(hub, error.__cause__, address, reading=reading)}") from error


def _reason(hub: ModuleType, error: Exception, address: HubAddress, *, reading: bool) -> str:
    errors, host = hub.errors, hub.constants.ENDPOINT
    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, errors.HfHubHTTPError):
        error = error.__cause__  # the Hub did answer
    answered = isinstance(error, errors.HfHubHTTPError)
    silent = errors.OfflineModeIsEnabled | errors.LocalEntryNotFoundError | errors.HTTPError
    if isinstance(error, silent) and not answered:
        why = "HF_HUB_OFFLINE is set" if hub.constants.HF_HUB_OFFLINE else f"{host} cannot be reached"
        return (UNREACHABLE if reading else UNSENT).format(why=why)
    for name, text in REASONS:
        if isinstance(error, getattr(errors, name)):
            files = _listed(hub, address) if "{files}" in text else ""
            return text.format(page=f"{host}/{address.repo}", repo=address.repo, files=files)
    if answered:
        status = error.response.status_code  # type: ignore[attr-defined]
        return f"{host} answered {status}; {ADVICE.get(status, 'try again later')}"
    return in_one_line(error)


def _listed(hub: ModuleType, address: HubAddress) -> str:
    """The repository's files for a message, if they can be had."""
    with suppress(OSError, ValueError, hub.errors.HTTPError):
        return f"; it has {_some(list_files(hub, address)[1])}"
    return ""


def _some(files: Sequence[str]) -> str:
    return ", ".join(files[:MAX_LISTED]) + (", ..." if len(files) > MAX_LISTED else "") or "nothing"


def _choose(
    hub: ModuleType, address: HubAddress, files: Sequence[str], kinds: Sequence[str], *, asked: HubAddress
) -> str:
    """The only file that may hold weights, or the only one of ours; UserError if there is none, or several."""
    candidates = [file for file in files if file.lower().endswith(ENDINGS)]
    if len(candidates) == 1:
        return candidates[0]
    few = [file for file in candidates if file.endswith(SAFETENSORS)][:MAX_LOOKS]
    ours = [file for file in few if (kind := kind_of(hub, address, file)) and (not kinds or kind in kinds)]
    if len(ours) == 1:
        return ours[0]
    if not candidates:
        raise UserError(f"{asked}: holds no file of weights, codes or directions, but {_some(files)}")
    named = replace(asked, file=(ours or candidates)[0])
    raise UserError(f"{asked}: holds several files, name one, as in {named}; it has {_some(ours or candidates)}")


def kind_of(hub: ModuleType, address: HubAddress, file: str) -> str | None:
    """Tell by its header the kind of content in a safetensors file of ours; None of any other file.

    Args:
        hub: The client.
        address: Repository and revision.
        file: Path of the file there.
    """
    cached: Any = hub.try_to_load_from_cache(address.repo, file, revision=address.revision)
    if isinstance(cached, str):
        return kind_in(Path(cached))
    with suppress(hub.errors.SafetensorsParsingError):
        api = hub.HfApi(**ourselves())
        header = api.parse_safetensors_file_metadata(address.repo, file, revision=address.revision)
        return str(header.metadata.get(KIND, "")).partition(" ")[0] or None
    return None


def _is_unreachable(hub: ModuleType, error: Exception) -> bool:
    """Whether the Hub did not answer, rather than refuse."""
    refused = isinstance(error, hub.errors.HfHubHTTPError)
    return error.response.status_code >= 500 if refused else True  # type: ignore[attr-defined]


def _cached(hub: ModuleType, address: HubAddress) -> Path | None:
    """The folder of a revision in the client's cache, laid out as its documentation says; None without one."""
    name = hub.file_download.repo_folder_name(repo_id=address.repo, repo_type="model")
    repo, commit = Path(hub.constants.HF_HUB_CACHE) / name, address.revision or MAIN
    with suppress(OSError):
        commit = (repo / "refs" / commit).read_text(encoding="utf-8").strip()
    folder = repo / "snapshots" / commit
    return folder if folder.is_dir() else None

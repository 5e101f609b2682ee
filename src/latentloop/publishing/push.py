"""The job of `latentloop push`: a file and its model card, into a repository on the Hugging Face Hub."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from latentloop.errors import UserError
from latentloop.hub import (
    HubAddress,
    ask,
    explaining,
    forget,
    is_address,
    is_exact,
    kind_of,
    load_client,
    ourselves,
    parse_address,
)
from latentloop.publishing.card import NOTICE, TERMS, is_untouched, write_card
from latentloop.publishing.contents import Contents, contents_of
from latentloop.publishing.licences import licence_named
from latentloop.publishing.options import PushOptions
from latentloop.version import __version__
from latentloop.weights import ASSETS, kind_in

README = "README.md"
SAFETENSORS = ".safetensors"


@dataclass(frozen=True)
class Push:
    """A file that was read and can be published."""

    path: Path
    """File that is published."""
    address: HubAddress
    """Where it goes."""
    card: str | None = field(repr=False)
    """Text of README.md; None without one."""
    terms: Mapping[str, bytes] = field(repr=False)
    """Texts of licences that go with the file, by their names in the repository."""
    options: PushOptions

    @property
    def uploads(self) -> dict[str, int]:
        """Bytes of each file that is uploaded, by its name in the repository."""
        texts = {name: len(text) for name, text in self._texts(card=True).items()}
        return {str(self.address.file): self.path.stat().st_size, **texts}

    def run(self, notice: Callable[[str], None] = warnings.warn) -> HubAddress:
        """Make the repository if there is none, upload the files in one commit, and give the file's address with it.

        Args:
            notice: Called with a line if the card is not uploaded, since there is another README.md.

        Raises:
            UserError: Nobody is logged in, the account may not write there, or a file there is somebody else's.
        """
        hub = load_client(str(self.address))
        with explaining(hub, self.address, reading=False):
            api = hub.HfApi(**ourselves())
            head, files = self._there(hub)
            if head is None:
                api.create_repo(self.address.repo, private=not self.options.public, exist_ok=True)
            problem = self._other_card(hub, head) if self.card and README in files else ""
            contents: Mapping[str, Path | bytes] = {str(self.address.file): self.path, **self._texts(card=not problem)}
            add = hub.CommitOperationAdd
            changes = [add(path_in_repo=name, path_or_fileobj=content) for name, content in contents.items()]
            message = f"Add {self.address.file}, with latentloop {__version__}"
            # With a parent it fails if somebody committed since the files there were looked at. A repository that was
            # just made has none to name: nothing of anybody's was in it.
            commit = api.create_commit(
                self.address.repo, operations=changes, commit_message=message, parent_commit=head
            )
        forget()  # a branch means another commit now
        if problem:
            notice(problem)
        return HubAddress(self.address.repo, self.address.file, commit.oid)

    def _texts(self, *, card: bool) -> dict[str, bytes]:
        """The files beside the one that is published, by their names in the repository."""
        return {**self.terms, **({README: self.card.encode()} if self.card and card else {})}

    def _there(self, hub: ModuleType) -> tuple[str | None, list[str]]:
        """The repository's last commit, None without a repository, and its files; UserError if ours cannot be there."""
        repo = HubAddress(self.address.repo)
        try:
            listing = ask(hub, repo)
        except hub.errors.RepositoryNotFoundError:
            return None, []
        commit, files = listing.commit, list(listing.sizes)
        there, file = HubAddress(repo.repo, None, commit), str(self.address.file)
        if not self.options.replace and file in files and kind_of(hub, there, file) != kind_in(self.path):
            problem = "there already, and not such a file of latentloop; it is left alone"
            raise UserError(f"{self.address}: {problem}", arguments=("replace", "name"))
        return commit, files

    def _other_card(self, hub: ModuleType, commit: str | None) -> str:
        """Why the README.md of the repository stays; empty if the card replaces it."""
        if self.options.replace or is_untouched(_text(hub, self.address.repo, commit), str(self.address.file)):
            return ""
        written = f"it is not the one that push wrote for {self.address.file}"
        return f"{HubAddress(self.address.repo)}: its {README} stays, since {written}; the option replace overwrites it"


def push(path: Path | str, repo: str, **options: Any) -> str:  # noqa: ANN401 - each option has a type of its own
    """Publish a file of ours on the Hugging Face Hub, and give its address with the commit.

    Args:
        path: A generator that `latentloop convert` wrote, an embedding network, or directions.
        repo: Repository, as OWNER/NAME; it is made if there is none.
        options: Options of `PushOptions` by name, such as `public=True`.

    Raises:
        UserError: The file is none that can be published, nobody is logged in, or a file there is somebody else's.
        TypeError: There is no such option.
    """
    return str(set_up_push(Path(path), repo, PushOptions(**options)).run())


def set_up_push(path: Path, repo: str, options: PushOptions) -> Push:
    """Read a file and write its card; the Hub is not asked.

    Args:
        path: The file.
        repo: Repository, as OWNER/NAME, or its address.
        options: How.

    Raises:
        UserError: The file is none that can be published, or its licence cannot be changed.
    """
    place = parse_address(repo if is_address(repo) else f"hf://{repo}")
    if place.file or place.revision or place.within:
        raise UserError(f"{repo}: a repository is OWNER/NAME, without a file and a revision")
    contents = _licensed(contents_of(path), options, path)
    address = _address(place.repo, options.name or path.name)
    contents = replace(contents, title=Path(str(address.file)).stem)
    card = write_card(contents, address) if options.card else None
    return Push(path, address, card, _terms() if contents.bundled_space else {}, options)


def _licensed(contents: Contents, options: PushOptions, path: Path) -> Contents:
    """Contents under the licence that they bring along, or, if that is none, under the one that is given."""
    if options.licence is None:
        return contents
    given, own = licence_named(options.licence), contents.licence
    if own and own.name != given.name:
        raise UserError(f"{path}: its licence is {own.name}, which stays", arguments="licence")
    return contents if own else contents.under(given)


def _address(repo: str, file: str) -> HubAddress:
    """Address of a file in a repository, which must mean just that file."""
    address = HubAddress(repo, file)
    if not is_exact(address) or "/" in file:
        raise UserError(f"{file}: an address on the Hub cannot have such a name; rename the file", arguments="name")
    if not file.endswith(SAFETENSORS):
        raise UserError(f"{file}: push gives names that end in {SAFETENSORS}", arguments="name")
    return address


def _terms() -> dict[str, bytes]:
    """The notice of the bundled weights with the licences that it names, by their names in a repository."""
    paths = [ASSETS / NOTICE, *sorted((ASSETS / "licenses").glob("*.txt"))]
    return {f"{TERMS}/{path.relative_to(ASSETS).as_posix()}": path.read_bytes() for path in paths}


def _text(hub: ModuleType, repo: str, commit: str | None) -> str:
    path = Path(hub.hf_hub_download(repo, README, revision=commit, **ourselves()))
    return path.read_text(encoding="utf-8", errors="replace")

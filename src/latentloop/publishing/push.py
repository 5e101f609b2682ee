"""The job of `latentloop push`: a file of ours and its model card, into a repository on the Hugging Face Hub."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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
from latentloop.publishing.card import is_untouched, write_card
from latentloop.publishing.contents import contents_of
from latentloop.publishing.licences import Licence, licence_named
from latentloop.publishing.options import PushOptions
from latentloop.version import __version__
from latentloop.weights import kind_in

README = "README.md"


@dataclass(frozen=True)
class Push:
    """A file that was read and can be published."""

    path: Path
    """File that is published."""
    address: HubAddress
    """Where it goes."""
    card: str | None = field(repr=False)
    """Text of README.md; None without one."""
    options: PushOptions

    @property
    def uploads(self) -> dict[str, int]:
        """Bytes of each file that is uploaded, by its name in the repository."""
        card = {README: len(self.card.encode())} if self.card else {}
        return {str(self.address.file): self.path.stat().st_size, **card}

    def run(self) -> HubAddress:
        """Make the repository if there is none, upload the files in one commit, and give the file's address with it.

        Raises:
            UserError: Nobody is logged in, the account may not write there, or a file there is somebody else's.
        """
        hub = load_client(str(self.address))
        with explaining(hub, self.address, reading=False):
            api = hub.HfApi(**ourselves())
            head = self._head(hub)
            if head is None:
                api.create_repo(self.address.repo, private=not self.options.public, exist_ok=True)
            contents: Mapping[str, Path | bytes] = {str(self.address.file): self.path}
            if self.card:
                contents = {**contents, README: self.card.encode()}
            add = hub.CommitOperationAdd
            files = [add(path_in_repo=name, path_or_fileobj=content) for name, content in contents.items()]
            message = f"Add {self.address.file}, with latentloop {__version__}"
            # Fails if somebody committed since the files there were looked at.
            commit = api.create_commit(self.address.repo, operations=files, commit_message=message, parent_commit=head)
        forget()  # a branch means another commit now
        return HubAddress(self.address.repo, self.address.file, commit.oid)

    def _head(self, hub: ModuleType) -> str | None:
        """The repository's last commit, None without a repository; UserError if files of others are in the way."""
        repo = HubAddress(self.address.repo)
        try:
            listing = ask(hub, repo)
        except hub.errors.RepositoryNotFoundError:
            return None
        there, file = HubAddress(repo.repo, None, listing.commit), str(self.address.file)
        if self.options.replace:
            return listing.commit
        if file in listing.sizes and kind_of(hub, there, file) != kind_in(self.path):
            problem = "there already, and not such a file of latentloop; it is left alone"
            raise UserError(f"{self.address}: {problem}", arguments="replace")
        if self.card and README in listing.sizes and not is_untouched(_text(hub, there), file):
            problem = f"its {README} is not the one that push wrote for {file}"
            raise UserError(f"{repo}: {problem}; it is left alone", arguments=("replace", "card"))
        return listing.commit


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
    address = HubAddress(place.repo, path.name)
    if not is_exact(address):
        raise UserError(f"{path}: an address on the Hub cannot have such a name; rename the file")
    contents = contents_of(path)
    licence = _licence(contents.licence, options, path)
    card = write_card(contents, str(address), path.name, licence) if options.card else None
    return Push(path, address, card, options)


def _licence(own: Licence | None, options: PushOptions, path: Path) -> Licence | None:
    """The licence of a file: what it brings along, or, if that is nothing, the one that is given."""
    if options.licence is None:
        return own
    given = licence_named(options.licence)
    if own and own.name != given.name:
        raise UserError(f"{path}: its licence is {own.name}, which stays", arguments="licence")
    return own or given


def _text(hub: ModuleType, there: HubAddress) -> str:
    path = Path(hub.hf_hub_download(there.repo, README, revision=there.revision, **ourselves()))
    return path.read_text(encoding="utf-8", errors="replace")

"""The client's errors in one line that says what to do."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from types import ModuleType

from latentloop.errors import UserError, in_one_line
from latentloop.hub.addresses import SYNTAX, HubAddress
from latentloop.hub.client import why_unreachable
from latentloop.hub.listing import ask

MAX_LISTED = 8
"""Most files that a message lists."""
LOGIN = "log in with: hf auth login"
ADVICE = {401: LOGIN, 403: "this account, or its token, may not do that"}
"""Advice on a refusal of the Hub, by HTTP status."""
UNREACHABLE = "not in the cache, and {why}; try again when connected, or name a local copy"
UNSENT = "{why}; try again when connected"
REASONS = (
    ("GatedRepoError", "its owner asks for an agreement; give it at {page}, then " + LOGIN),
    ("RepositoryNotFoundError", "no such repository, or a private one: for a private one " + LOGIN),
    ("RevisionNotFoundError", "no such revision; a branch, tag or commit comes last: hf://{repo}/FILE@main"),
    ("EntryNotFoundError", "no such file in the repository{files}"),
    ("HFValidationError", f"not an address; write {SYNTAX}"),
)
"""Explanations of the client's errors, by class; the first that fits counts."""


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
        return (UNREACHABLE if reading else UNSENT).format(why=why_unreachable(hub))
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
        return f"; it has {some_of(ask(hub, address).sizes)}"
    return ""


def some_of(files: Collection[str]) -> str:
    """List the first of some files, for a message."""
    return ", ".join(islice(files, MAX_LISTED)) + (", ..." if len(files) > MAX_LISTED else "") or "nothing"

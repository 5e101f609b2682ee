"""Reading the kind of content of a file on the Hub from its header alone."""

from pathlib import Path
from types import ModuleType
from typing import Any

from latentloop.hub.addresses import HubAddress
from latentloop.hub.client import ourselves
from latentloop.hub.listing import TIMEOUT
from latentloop.safetensors_header import MAX_BYTES, kind_in, kind_in_bytes

LENGTH = 8
"""Bytes of a safetensors file that give the length of its header."""
FIRST = 100_000
"""Bytes that are read at first: most headers are shorter."""
EMPTY = 416
"""HTTP status for a part of a file that is empty."""


def kind_of(hub: ModuleType, address: HubAddress, file: str, *, cached_only: bool = False) -> str | None:
    """Tell by its header the kind of content in a safetensors file of ours; None of any other, or a damaged, file.

    Args:
        hub: The client.
        address: Repository and commit.
        file: Path of the file there.
        cached_only: Whether to ask only the cache.
    """
    if (path := cached_path(hub, address, file)) is not None:
        return kind_in(path)
    return None if cached_only else kind_in_bytes(_header_of(hub, address, file))


def cached_path(hub: ModuleType, address: HubAddress, file: str) -> Path | None:
    """The file in the client's cache; None if it is not there. Arguments as of `kind_of`."""
    cached: Any = hub.try_to_load_from_cache(address.repo, file, revision=address.revision)
    return Path(cached) if isinstance(cached, str) else None


def _header_of(hub: ModuleType, address: HubAddress, file: str) -> bytes:
    """The first bytes of a file, with the whole header if it is as long as weights need.

    The client has a parser of its own, which trusts what the file says.
    """
    first = _first_bytes(hub, address, file, FIRST)
    whole = LENGTH + int.from_bytes(first[:LENGTH], "little")
    return first if whole <= FIRST or whole > LENGTH + MAX_BYTES else _first_bytes(hub, address, file, whole)


def _first_bytes(hub: ModuleType, address: HubAddress, file: str, count: int) -> bytes:
    url = hub.hf_hub_url(address.repo, file, revision=address.revision)
    headers = hub.utils.build_hf_headers(**ourselves())
    headers |= {"range": f"bytes=0-{count - 1}", "accept-encoding": "identity"}
    found = b""
    with hub.get_session().stream("GET", url, headers=headers, timeout=TIMEOUT) as response:
        if response.status_code == EMPTY:
            return found
        hub.utils.hf_raise_for_status(response)
        for piece in response.iter_bytes():
            found += piece
            if len(found) >= count:  # a server need not heed the range
                break
    return found[:count]

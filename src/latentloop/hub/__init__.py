"""Files on the Hugging Face Hub, named by addresses such as hf://OWNER/REPO/FILE@REVISION.

The client `huggingface_hub` downloads, caches and logs in; here an address becomes the path of a local file. What is
downloaded is somebody else's: it goes through the same readers as any other file, none of which executes anything.
"""

from latentloop.hub.addresses import SYNTAX, HubAddress, is_address, is_exact, parse_address, refuse_photo_address
from latentloop.hub.client import load_client, ourselves
from latentloop.hub.explaining import explaining
from latentloop.hub.fetching import GENERATORS, HubFile, fetch, forget, local_codes, local_name, pinned, source_of
from latentloop.hub.kinds import kind_of
from latentloop.hub.listing import Listing, ask

__all__ = [
    "GENERATORS",
    "SYNTAX",
    "HubAddress",
    "HubFile",
    "Listing",
    "ask",
    "explaining",
    "fetch",
    "forget",
    "is_address",
    "is_exact",
    "kind_of",
    "load_client",
    "local_codes",
    "local_name",
    "ourselves",
    "parse_address",
    "pinned",
    "refuse_photo_address",
    "source_of",
]

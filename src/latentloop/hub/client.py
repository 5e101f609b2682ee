"""The client of the Hub, an optional package."""

import importlib
from types import ModuleType

from latentloop.extras import load_extra
from latentloop.version import __version__

PARTS = ("constants", "errors", "file_download", "utils")
"""Modules of the client that are used here; importing the client alone does not promise them."""


def load_client(what: str) -> ModuleType:
    """Import huggingface_hub.

    Args:
        what: What needs it, for the message.

    Raises:
        UserError: It is not installed.
    """
    hub = load_extra("huggingface_hub", f"{what}: the Hugging Face Hub needs huggingface_hub", "latentloop[hub]")
    for part in PARTS:
        importlib.import_module(f"huggingface_hub.{part}")
    return hub


def ourselves() -> dict[str, str]:
    """Name of this package and its version, for the client to tell the Hub."""
    return {"library_name": "latentloop", "library_version": __version__}


def is_unreachable(hub: ModuleType, error: Exception) -> bool:
    """Tell whether an error means that the Hub did not answer, or failed, rather than refused."""
    refused = isinstance(error, hub.errors.HfHubHTTPError)
    return error.response.status_code >= 500 if refused else True  # type: ignore[attr-defined]


def why_unreachable(hub: ModuleType, error: Exception | None = None) -> str:
    """Say why the Hub could not be asked, by the client's error, if there is one."""
    if isinstance(error, hub.errors.HfHubHTTPError):
        return f"{hub.constants.ENDPOINT} answered {error.response.status_code}"
    return "HF_HUB_OFFLINE is set" if hub.constants.HF_HUB_OFFLINE else f"{hub.constants.ENDPOINT} cannot be reached"

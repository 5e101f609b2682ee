"""ComfyUI's way in: it asks for the nodes of this folder."""

from .nodes import comfy_entrypoint as comfy_entrypoint

__all__ = ["comfy_entrypoint"]

"""A stand-in for the part of ComfyUI's V3 interface that our nodes use: its names, its parameters and its checks."""

from typing import ClassVar

from . import io as io

__all__ = ["ComfyAPISync", "ComfyExtension", "io"]


class Execution:
    """What runs a node."""

    shown: ClassVar[list[tuple[float, float]]] = []

    def set_progress(self, value: float, max_value: float, node_id: str | None = None) -> None:  # noqa: ARG002
        assert 0 <= value <= max_value
        self.shown.append((value, max_value))


class ComfyAPISync:
    """What nodes ask of ComfyUI; the real one takes its time to build."""

    execution = Execution()
    built: ClassVar[int] = 0

    def __init__(self) -> None:
        ComfyAPISync.built += 1


class ComfyExtension:
    async def on_load(self) -> None: ...

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        raise NotImplementedError

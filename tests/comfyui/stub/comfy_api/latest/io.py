"""Inputs, outputs, schema and nodes of the stand-in."""

from dataclasses import dataclass, field
from typing import Any, ClassVar


class Input:
    """An input; `Parent` is the type that it is of."""

    io_type: ClassVar[str] = ""

    def __init__(
        self,
        id: str,  # noqa: A002
        display_name: str | None = None,
        optional: bool = False,
        tooltip: str | None = None,
    ) -> None:
        self.id, self.display_name, self.optional, self.tooltip = id, display_name, optional, tooltip
        self.default: Any = None

    def check(self, value: object) -> None:
        """See that a widget's value is one that the input takes."""


class Output:
    io_type: ClassVar[str] = ""

    def __init__(
        self,
        id: str | None = None,  # noqa: A002
        display_name: str | None = None,
        tooltip: str | None = None,
        is_output_list: bool = False,
    ) -> None:
        self.id, self.display_name, self.tooltip, self.is_output_list = id, display_name, tooltip, is_output_list


class ComfyType:
    Input: type[Input]
    Output: type[Output]


def Custom(io_type: str) -> type[ComfyType]:  # noqa: N802 - ComfyUI's name
    """Make a type of one's own."""
    parts = {part: type(part, (kind,), {"io_type": io_type}) for part, kind in (("Input", Input), ("Output", Output))}
    return type(io_type, (ComfyType,), parts)


Image = Custom("IMAGE")


class String:
    class Input(Input):
        io_type = "STRING"

        def __init__(
            self,
            id: str,  # noqa: A002
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            multiline: bool = False,
            default: str | None = None,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip)
            self.multiline, self.default = multiline, default

        def check(self, value: object) -> None:
            assert isinstance(value, str)


class Int:
    class Input(Input):
        io_type = "INT"

        def __init__(
            self,
            id: str,  # noqa: A002
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            default: int | None = None,
            min: int | None = None,  # noqa: A002
            max: int | None = None,  # noqa: A002
        ) -> None:
            super().__init__(id, display_name, optional, tooltip)
            self.default, self.min, self.max = default, min, max

        def check(self, value: object) -> None:
            assert isinstance(value, int)
            assert not isinstance(value, bool)
            assert self.min is None or value >= self.min
            assert self.max is None or value <= self.max


class Boolean:
    class Input(Input):
        io_type = "BOOLEAN"

        def __init__(
            self,
            id: str,  # noqa: A002
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            default: bool | None = None,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip)
            self.default = default

        def check(self, value: object) -> None:
            assert isinstance(value, bool)


class Combo:
    class Input(Input):
        io_type = "COMBO"

        def __init__(
            self,
            id: str,  # noqa: A002
            options: list[str],
            display_name: str | None = None,
            optional: bool = False,
            tooltip: str | None = None,
            default: str | None = None,
        ) -> None:
            super().__init__(id, display_name, optional, tooltip)
            self.options, self.default = options, default

        def check(self, value: object) -> None:
            assert value in self.options


@dataclass
class Schema:
    node_id: str
    display_name: str = ""
    category: str = "sd"
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    description: str = ""
    is_output_node: bool = False

    def validate(self) -> None:
        """See that ids are unique, among inputs and outputs together, as ComfyUI does."""
        ids = [one.id for one in self.inputs] + [one.id for one in self.outputs]
        assert len(set(ids)) == len(ids), ids
        for one in self.inputs:
            if one.default is not None:
                one.check(one.default)


class ComfyNode:
    @classmethod
    def define_schema(cls) -> Schema:
        raise NotImplementedError


class NodeOutput:
    def __init__(self, *args: Any) -> None:  # noqa: ANN401 - a node's outputs are of any type
        self.args = args

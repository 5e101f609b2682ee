"""Damage to files as hypothesis draws it: flipped bits, cuts, pieces moved, odd lengths, odd values in headers."""

import json
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

from hypothesis import strategies as st

from layouts import PLAIN, Layout

Edit = Callable[[bytes], bytes]
FAR = 10**6
"""Places in a file are drawn up to here, and taken modulo its length."""
DEEP = "DEEP"
"""Stands for a list nested so deeply that JSON cannot be written of it."""
OPCODES = b"().012FIJKLMNPQRSTUVXZ]abcdeghijlopqrstu}\x80\x81\x85\x8c\x8e\x90\x91\x93\x94\x95"
"""Instructions of pickles."""
WHOLE = (0, 1, -1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 10**5, 10**7, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1)
NUMBERS = (*map(str, WHOLE), "1e308", "1e999", "NaN", "-Infinity", "0.5", "9" * 40, "9" * 5000, "")
VALUES: tuple[object, ...] = (
    None,
    True,
    False,
    *WHOLE,
    -(2**63),
    1e308,
    float("nan"),
    10**40,
    "",
    "x",
    "\0",
    "\ud800",
    [],
    {},
    [[]],
    DEEP,
)


@dataclass(frozen=True)
class Put:
    """Bytes over others."""

    place: int
    new: bytes

    def __call__(self, content: bytes) -> bytes:
        at = self.place % (len(content) + 1)
        return content[:at] + self.new + content[at + len(self.new) :]


@dataclass(frozen=True)
class Flip:
    """One bit."""

    place: int
    bit: int

    def __call__(self, content: bytes) -> bytes:
        at = self.place % (len(content) or 1)
        return content[:at] + bytes(byte ^ (1 << self.bit) for byte in content[at : at + 1]) + content[at + 1 :]


@dataclass(frozen=True)
class Cut:
    """The end goes."""

    place: int

    def __call__(self, content: bytes) -> bytes:
        return content[: self.place % (len(content) + 1)]


@dataclass(frozen=True)
class Splice:
    """A piece comes again elsewhere, or goes."""

    place: int
    length: int
    to: int | None

    def __call__(self, content: bytes) -> bytes:
        at = self.place % (len(content) + 1)
        if self.to is None:
            return content[:at] + content[at + self.length :]
        to = self.to % (len(content) + 1)
        return content[:to] + content[at : at + self.length] + content[to:]


@dataclass(frozen=True)
class Number:
    """A number in a text becomes another."""

    which: int
    new: str

    def __call__(self, content: bytes) -> bytes:
        found = list(re.finditer(rb"-?\d+", content[:FAR]))
        if not found:
            return content
        start, end = found[self.which % len(found)].span()
        return content[:start] + self.new.encode() + content[end:]


@dataclass(frozen=True)
class Value:
    """A value in JSON becomes another, or goes."""

    which: int
    new: object
    gone: bool

    def __call__(self, content: bytes) -> bytes:
        try:
            whole = [json.loads(content)]
        except (ValueError, RecursionError):
            return content
        places = list(_places(whole))
        inside, key = places[self.which % len(places)]
        if self.gone and inside is not whole:
            del inside[key]
        else:
            inside[key] = self.new
        text = json.dumps(whole[0]).replace(f'"{DEEP}"', "[" * 10_000 + "]" * 10_000)
        return text.encode()


@dataclass(frozen=True)
class Damage:
    """Edits of a file, or of one of its parts."""

    edits: tuple[Edit, ...]
    part: int | None

    def of(self, whole: bytes, layout: Layout) -> bytes:
        """The damaged file."""
        parts = layout.take_apart(whole) if self.part is not None else {"": whole}
        name = list(parts)[(self.part or 0) % len(parts)]
        parts[name] = reduce(lambda content, edit: edit(content), self.edits, parts[name])
        try:
            return (layout if self.part is not None else PLAIN).put_together(parts)
        except Exception:  # noqa: BLE001 - no file can be made of such parts
            return parts[name]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401
    """Each list and dict with an index or a key in it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


_place = st.integers(0, FAR)
_packed = st.builds(
    lambda number, form: struct.pack(form, number & (256 ** struct.calcsize(form) - 1)),
    st.sampled_from(WHOLE),
    st.sampled_from(("B", "<H", ">H", "<I", ">I", "<Q", ">Q")),
)
_opcode = st.sampled_from([bytes((byte,)) for byte in OPCODES])
_edit: st.SearchStrategy[Edit] = st.one_of(
    st.builds(Flip, _place, st.integers(0, 7)),
    st.builds(Put, _place, _packed | _opcode | st.binary(min_size=1, max_size=4)),
    st.builds(Cut, _place),
    st.builds(Splice, _place, st.integers(0, 300), _place | st.none()),
    st.builds(Number, _place, st.sampled_from(NUMBERS)),
    st.builds(Value, _place, st.sampled_from(VALUES), st.booleans()),
)
damages = st.builds(Damage, st.lists(_edit, min_size=1, max_size=4).map(tuple), st.none() | st.integers(0, FAR))
"""Damage of every kind, for a file of any layout."""

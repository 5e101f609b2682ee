"""A restricted unpickler that only builds data: it imports nothing, calls nothing that a file names, and limits memory.

Python's own unpickler imports what a file names, and calls it. This one follows the same instructions, parsed by the
standard library's `pickletools`, but looks names up in a table of harmless functions (makers). An object of any other
class becomes a passive `Record`, which is never built or called. Names that only an attack would use are refused.
"""

import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

from torch import Tensor

from latentloop.checkpoints.alarms import is_alarming
from latentloop.checkpoints.bounded_file import BoundedFile
from latentloop.errors import UserError

MAX_INSTRUCTIONS = 5_000_000
"""Largest number of instructions; pickles of 1024-pixel generators have some ten thousand."""
SPENDING = 2
"""Total size of the makers' arguments, as a multiple of the file's size: files may repeat data, but not endlessly."""
SMALL_CHANGE = 1 << 20
"""Additional allowance for the makers' arguments, in bytes and items, so that small files may repeat more."""
MAX_KEY = 1 << 60
"""Bound on integer dict keys; larger ones could be chosen so that their hashes collide."""
MAX_KEY_PARTS = 8
"""Largest number of items in a tuple that is a dict key."""

Maker = Callable[..., Any]
"""Harmless replacement of a global, called with the arguments that the file has for it."""


class RefusedError(UserError):
    """The error for a file that asks for more than data, such as a function call."""


@dataclass(frozen=True)
class Global:
    """A global that a file names, with its harmless replacement."""

    name: str
    """Module and name, such as "collections.OrderedDict"."""
    make: Maker
    """Replacement that is called instead."""


@dataclass
class Record:
    """An object of a class known by name only: constructor arguments and state, as data."""

    name: str
    """Name of the class or function that the file asks for."""
    args: tuple[Any, ...] = ()
    """Arguments that the file has for it."""
    state: Any = None
    """State that the file sets after construction; None if it sets none."""
    items: dict[Any, Any] = field(default_factory=dict)
    """Items that the file sets, if the class is a dict; appended items are dropped."""


def unpickle(file: BinaryIO, makers: Mapping[str, Maker], *, persistent: Maker | None = None) -> Any:  # noqa: ANN401
    """Read one pickle from the file's position, without importing or calling what it names.

    Args:
        file: Seekable file.
        makers: Replacements of globals by "module.name"; a call of any other global returns a `Record`.
        persistent: Replacement of the lookup of persistent ids; None refuses them.

    Returns:
        None, numbers, text, bytes, lists, tuples, sets and dicts of these, and results of the makers.

    Raises:
        RefusedError: The file names a global that only an attack would use, or calls an object that is not a global.
        ValueError or LookupError: The content is not a pickle, truncated, or damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about invalid escapes in damaged text
        bounded = BoundedFile(file)
        return _Machine(makers, persistent, allowance=SPENDING * bounded.left() + SMALL_CHANGE).run(bounded)


@dataclass
class _Machine:
    makers: Mapping[str, Maker]
    persistent: Maker | None
    allowance: int
    """Remaining size of the makers' arguments, in bytes and items."""
    stack: list[Any] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)

    def run(self, file: BoundedFile) -> Any:  # noqa: ANN401
        for count, (opcode, argument, _) in enumerate(pickletools.genops(file)):  # type: ignore[arg-type]
            if count >= MAX_INSTRUCTIONS:
                raise RefusedError(f"more than {MAX_INSTRUCTIONS} instructions")
            if opcode.name == "STOP":
                return self.stack.pop()
            if opcode.name in VALUES:
                self.push(VALUES[opcode.name] if argument is None else argument)
            elif opcode.name in STEPS:
                STEPS[opcode.name](self, argument)
            else:
                raise RefusedError(f"the instruction {opcode.name}")
        raise ValueError("truncated")

    def since_mark(self) -> list[Any]:
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def push(self, value: object) -> None:
        self.stack.append(value)

    def look_up(self, name: str) -> None:
        # Nothing is imported: a name is only looked up in a table, and unknown ones give passive records.
        if name not in self.makers and is_alarming(name):
            raise RefusedError(f"the global {name}")
        self.push(Global(name, self.makers[name] if name in self.makers else passive(name)))

    def look_up_parts(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("a global without a name")
        self.look_up(f"{module}.{name}")

    def call(self, function: object, args: object) -> None:
        if isinstance(function, Record):  # a class or function that the file itself builds
            function = Global(function.name, passive(function.name))
        if not isinstance(function, Global) or not isinstance(args, tuple):
            raise RefusedError(f"a call of {type(function).__name__}")
        # A memoised megabyte may be passed to a maker a million times: each time it would be copied.
        self.allowance -= sum(len(given) for given in args if isinstance(given, SIZED))
        if self.allowance < 0:
            raise RefusedError("many copies of the same data")
        try:
            self.push(function.make(*args))
        except TypeError as error:
            raise ValueError(f"wrong arguments for {function.name}") from error

    def set_items(self, items: list[Any]) -> None:
        target, keys = self.stack[-1], items[::2]
        target = target.items if isinstance(target, Record) else target
        # type(), not isinstance: a subclass could override what is called here.
        if type(target) is not dict or len(items) % 2:
            raise ValueError("items for an object that is not a dict")
        # An optimizer's state has parameters as keys: they would be hashed by identity, and are not needed.
        pairs = [pair for pair in zip(keys, items[1::2], strict=True) if not isinstance(pair[0], Tensor | Record)]
        target.update(zip(simple([key for key, _ in pairs]), [value for _, value in pairs], strict=True))

    def add_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif type(target) is set:
            target.update(simple(items))
        elif not isinstance(target, Record):
            raise ValueError("items for an object that is neither list nor set")

    def build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Record):
            target.state = state
        elif type(target) not in (dict, set, Tensor):  # attributes of a subclass of these are dropped
            raise RefusedError(f"a state for {type(target).__name__}")

    def persist(self, identity: object) -> None:
        if self.persistent is None:
            raise RefusedError("a persistent id")
        self.push(self.persistent(identity))


def passive(name: str) -> Maker:
    """Return a maker of `Record`s, for a class that is known by name only."""
    return lambda *args: Record(name, args)


def simple(items: list[Any]) -> list[Any]:
    """Check that dict keys or set items are quick to hash, and return them.

    Allowed are text, bytes, numbers, None and short tuples of these: hashing a tuple nested a million deep would crash
    the process.

    Raises:
        ValueError: An item has another type, or is an integer of `MAX_KEY` or more.
    """
    for item in items:
        parts = item if isinstance(item, tuple) and len(item) <= MAX_KEY_PARTS else (item,)
        if not all(isinstance(part, SIMPLE) and not (isinstance(part, int) and abs(part) >= MAX_KEY) for part in parts):
            raise ValueError(f"a key that is a {type(item).__name__}, which is not allowed here")
    return items


def _make(machine: _Machine, name: str | None) -> None:
    """Build an object as the oldest protocols store it: after a mark, its class (unless named) and its arguments."""
    items = machine.since_mark()
    if name is not None:
        machine.look_up(name.replace(" ", ".", 1))
    else:
        machine.push(items.pop(0))
    machine.call(machine.stack.pop(), tuple(items))


def _make_with_keywords(machine: _Machine) -> None:
    keywords, args, function = machine.stack.pop(), machine.stack.pop(), machine.stack.pop()
    machine.call(function, args)
    if isinstance(keywords, dict) and isinstance(machine.stack[-1], Record):
        machine.stack[-1].items.update(keywords)


def _refuse_outside() -> NoReturn:
    raise UserError("its numbers are in buffers outside the file; pickle it without out-of-band buffers")


def _make_dict(machine: _Machine) -> None:
    items = machine.since_mark()
    machine.push({})
    machine.set_items(items)


SIMPLE = (str, bytes, int, float, type(None))
"""Types that dict keys and set items may have."""
SIZED = (str, bytes, bytearray, list, tuple, dict, set, frozenset)
"""Types whose length counts against `SPENDING`."""
_LITERALS = """
    INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING
    BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8
"""
VALUES: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False} | dict.fromkeys(_LITERALS.split())
"""Instructions that push their argument or, if they have none, the value here."""

STEPS: dict[str, Callable[[_Machine, Any], object]] = {
    "PROTO": lambda _, __: None,
    "FRAME": lambda _, __: None,
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "POP": lambda m, _: m.stack.pop(),
    "POP_MARK": lambda m, _: m.since_mark(),
    "DUP": lambda m, _: m.push(m.stack[-1]),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "EMPTY_SET": lambda m, _: m.push(set()),
    "LIST": lambda m, _: m.push(m.since_mark()),
    "TUPLE": lambda m, _: m.push(tuple(m.since_mark())),
    "TUPLE1": lambda m, _: m.push((m.stack.pop(),)),
    # Arguments are evaluated from left to right, so items come off the stack in reverse.
    "TUPLE2": lambda m, _: m.push(tuple([m.stack.pop(), m.stack.pop()][::-1])),
    "TUPLE3": lambda m, _: m.push(tuple([m.stack.pop(), m.stack.pop(), m.stack.pop()][::-1])),
    "DICT": lambda m, _: _make_dict(m),
    "FROZENSET": lambda m, _: m.push(frozenset(simple(m.since_mark()))),
    "APPEND": lambda m, _: m.add_items([m.stack.pop()]),
    "APPENDS": lambda m, _: m.add_items(m.since_mark()),
    "ADDITEMS": lambda m, _: m.add_items(m.since_mark()),
    "SETITEM": lambda m, _: m.set_items([m.stack.pop(), m.stack.pop()][::-1]),
    "SETITEMS": lambda m, _: m.set_items(m.since_mark()),
    "GET": lambda m, index: m.push(m.memo[index]),
    "BINGET": lambda m, index: m.push(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.push(m.memo[index]),
    "PUT": lambda m, index: m.memo.update({index: m.stack[-1]}),
    "BINPUT": lambda m, index: m.memo.update({index: m.stack[-1]}),
    "LONG_BINPUT": lambda m, index: m.memo.update({index: m.stack[-1]}),
    "MEMOIZE": lambda m, _: m.memo.update({len(m.memo): m.stack[-1]}),
    # pickletools joins module and name by a space.
    "GLOBAL": lambda m, name: m.look_up(name.replace(" ", ".", 1)),
    "STACK_GLOBAL": lambda m, _: m.look_up_parts(name=m.stack.pop(), module=m.stack.pop()),
    "REDUCE": lambda m, _: m.call(args=m.stack.pop(), function=m.stack.pop()),
    "OBJ": _make,
    "INST": _make,
    "NEWOBJ_EX": lambda m, _: _make_with_keywords(m),
    "NEWOBJ": lambda m, _: m.call(args=m.stack.pop(), function=m.stack.pop()),
    "BUILD": lambda m, _: m.build(),
    "BINPERSID": lambda m, _: m.persist(m.stack.pop()),
    "NEXT_BUFFER": lambda _, __: _refuse_outside(),
    "PERSID": lambda m, identity: m.persist(identity),
}
"""All other supported instructions; those neither here nor in `VALUES` are refused."""

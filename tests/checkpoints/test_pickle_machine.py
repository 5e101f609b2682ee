import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from latentloop.checkpoints import numpy_records
from latentloop.checkpoints.pickle_machine import Maker, Record, RefusedError, unpickle
from latentloop.errors import UserError

PLAIN = {
    "numbers": [1, -1, 255, 65536, 2**40, -(2**70), 1.5, float("inf")],
    "constants": (None, True, False),
    "texts": ["", "latentloop", "ä\n" * 200],
    "bytes": [b"", b"\x00\xff" * 300],
    "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "nested": {"a": {"b": [{}, [], ((),)]}},
}


class Evil:
    """Would leave a mark."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("protocol", range(6))
def test_plain_data_come_back_equal(protocol: int) -> None:
    shared = [1]
    content = {**PLAIN, "set": {1, "b"}, "frozen": frozenset({2}), "twice": (shared, shared)}
    makers: dict[str, Maker] = {f"{module}.set": set for module in ("builtins", "__builtin__")}
    makers |= {f"{module}.frozenset": frozenset for module in ("builtins", "__builtin__")}
    makers |= {"_codecs.encode": str.encode, "__builtin__.bytes": bytes}
    found = unpickle(io.BytesIO(pickle.dumps(content, protocol=protocol)), makers)
    assert found == content
    assert found["twice"][0] is found["twice"][1]


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_that_a_file_names_is_called(protocol: int, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(RefusedError, match=r"the global (posix|nt)\.mkdir"):
        unpickle(io.BytesIO(pickle.dumps([Evil(mark)], protocol=protocol)), {})
    assert not mark.exists()


def test_a_known_global_becomes_what_its_maker_makes() -> None:
    stream = io.BytesIO(pickle.dumps(OrderedDict(a=1), protocol=4))
    assert unpickle(stream, {"collections.OrderedDict": dict}) == {"a": 1}


def test_a_record_keeps_its_arguments_and_state() -> None:
    stream = io.BytesIO(pickle.dumps(ValueError("text"), protocol=4))
    makers = {"builtins.ValueError": lambda *args: Record("error", args)}
    assert unpickle(stream, makers) == Record("error", ("text",))


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (b"\x80\x04cos\nsystem\n.", "the global os.system"),
        (b"(ios.path\njoin\n.", "the global os.path.join"),
        (b"(cposix\nsystem\nS'ls'\no.", "the global posix.system"),
        (b"\x80\x04c__builtin__\neval\n.", "the global __builtin__.eval"),
        (b"\x80\x02\x82\x01.", "the instruction EXT1"),
        (b"\x80\x05\x98.", "the instruction READONLY_BUFFER"),
        (b"K\x01)R.", "a call of int"),
        (b"K\x01}b.", "a state for int"),
        (b"P1\n.", "a persistent id"),
        (b"cbuiltins\nint\nK\x01R.", "a call of Global"),
    ],
)
def test_more_than_data_is_refused(stream: bytes, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        unpickle(io.BytesIO(stream), {"builtins.int": int})


def test_numbers_that_lie_outside_the_file_are_no_attack() -> None:
    stream = io.BytesIO(pickle.dumps(pickle.PickleBuffer(b"abc"), protocol=5, buffer_callback=lambda _: False))
    with pytest.raises(UserError, match="its numbers are in buffers outside the file") as caught:
        unpickle(stream, {})
    assert not isinstance(caught.value, RefusedError)


def test_items_by_objects_are_left_out() -> None:
    """As an optimizer's state is by its parameters."""
    makers = {"collections.OrderedDict": lambda: torch.ones(1)}
    stream = io.BytesIO(b"\x80\x02}(ccollections\nOrderedDict\n)RK\x01csome\nClass\n)RK\x02K\x03K\x04u.")
    assert unpickle(stream, makers) == {3: 4}


class Unknown(dict[str, int]):
    """Of a class that no reader knows; building it would leave a mark."""

    built = 0

    def __new__(cls, *args: object, **_: object) -> "Unknown":
        cls.built += 1
        return super().__new__(cls, *args)

    def __getnewargs_ex__(self) -> tuple[tuple[int, ...], dict[str, Any]]:
        return (7,), {"key": 8}


@pytest.mark.parametrize("protocol", range(2, 6))
def test_what_is_unknown_becomes_a_record_and_is_not_built(protocol: int) -> None:
    one = Unknown()
    one["a"] = 1
    vars(one)["inside"] = [one]
    stream, built = pickle.dumps({"known": 3, "unknown": one}, protocol=protocol), Unknown.built
    found = unpickle(io.BytesIO(stream), {})
    assert found["known"] == 3
    record = found["unknown"]
    assert (type(record), record.items["a"]) == (Record, 1)
    assert record.state["inside"][0] is record
    assert Unknown.built == built


@pytest.mark.parametrize("protocol", range(2))
def test_objects_of_the_oldest_protocols_are_records_too(protocol: int) -> None:
    state = unpickle(io.BytesIO(pickle.dumps(Record("a", (1,), 2), protocol=protocol)), numpy_records.MAKERS)
    assert (type(state), state.name) == (Record, f"{Record.__module__}.Record")
    assert state.state == {"name": "a", "args": (1,), "state": 2, "items": {}}
    for stream in (b"(I5\nia.b\nC\n.", b"(ca.b\nC\nI5\no."):
        assert unpickle(io.BytesIO(stream), {}) == Record("a.b.C", (5,))


def test_what_stands_for_a_function_is_called_in_name_only() -> None:
    # dill asks for a type by name, and calls what it gets.
    stream = b"\x80\x02cdill._dill\n_load_type\n(U\x01XtRK\x05\x85R."
    assert unpickle(io.BytesIO(stream), {}) == Record("dill._dill._load_type", (5,))


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"K\x01",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",  # bytes that claim to be 2**63 long
        b"}(K\x01t\x85K\x02s.",  # a tuple within a tuple for a key
        b"]}K\x01s.",
        b"}(\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x1fK\x01u.",  # 2**61 - 1, whose multiples share a hash
        b"h\x05.",
        b"0.",
        b"cbuiltins\nint\n(K\x01K\x02K\x03tR.",
        pickle.dumps(PLAIN, protocol=4)[:-20],
    ],
)
def test_damage_is_an_error(stream: bytes) -> None:
    with pytest.raises((ValueError, LookupError)):
        unpickle(io.BytesIO(stream), {"builtins.int": int})


def test_a_memo_with_one_far_place_takes_no_memory() -> None:
    assert unpickle(io.BytesIO(b"\x80\x04]r\xff\xff\xff\x7f."), {}) == []


def test_reading_ends_after_so_many_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentloop.checkpoints.pickle_machine.MAX_INSTRUCTIONS", 100)
    with pytest.raises(RefusedError, match="more than 100 instructions"):
        unpickle(io.BytesIO(pickle.dumps(list(range(200)))), {})


def test_a_file_may_not_hand_the_same_thing_around_forever() -> None:
    blob = bytes(1 << 16)
    stream = b"\x80\x04cbuiltins\nbytes\nq\x000" + pickle.dumps(blob, protocol=4)[2:-1] + b"q\x010"
    stream += b"h\x00h\x01\x85R" * 40 + b"."
    with pytest.raises(RefusedError, match="many copies of the same data"):
        unpickle(io.BytesIO(stream), {"builtins.bytes": bytes})

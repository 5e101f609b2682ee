import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from latentloop.checkpoints.pickle_machine import Maker, Record, RefusedError, unpickle

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
        (b"\x80\x04c__main__\nx\n.", "the global __main__.x"),
        (b"(i__main__\nx\n.", "the instruction INST"),
        (b"\x80\x02\x82\x01.", "the instruction EXT1"),
        (b"\x80\x05\x97.", "the instruction NEXT_BUFFER"),
        (b"K\x01)R.", "a call of int"),
        (b"K\x01}b.", "a state for int"),
        (b"P1\n.", "a persistent id"),
        (b"cbuiltins\nint\nK\x01R.", "a call of Global"),
    ],
)
def test_more_than_data_is_refused(stream: bytes, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        unpickle(io.BytesIO(stream), {"builtins.int": int})


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"K\x01",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc.",  # bytes that claim to be 2**63 long
        b"}((K\x01tK\x02s.",  # a tuple for a key
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

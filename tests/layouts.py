"""Files taken apart and put together again with right lengths and checksums, so that damage gets past those."""

import io
import json
import re
import sqlite3
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

Parts = dict[str, bytes]
PNG = b"\x89PNG\r\n\x1a\n"
TAR_BLOCK, TAR_CHECKSUM = 512, slice(148, 156)
NUMPY = re.compile(rb"(\x93NUMPY\x01\x00..)(\{[^}]*\})( *\n)", re.DOTALL)
COLUMNS = ("photo", "loss", "step", "code")
SETTINGS = "latentloop"


@dataclass(frozen=True)
class Layout:
    """The parts of a kind of file."""

    take_apart: Callable[[bytes], Parts]
    put_together: Callable[[Parts], bytes]


def _of_safetensors(content: bytes) -> Parts:
    """Header, what ours have as JSON within it, and tensors."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    kind, brace, settings = header.get("__metadata__", {}).get(SETTINGS, "").partition("{")
    if kind or brace:
        header["__metadata__"][SETTINGS] = kind
    return {
        "header": json.dumps(header).encode(),
        "settings": (brace + settings).encode(),
        "tensors": content[8 + length :],
    }


def _to_safetensors(parts: Parts) -> bytes:
    header, settings = parts["header"], parts["settings"].decode(errors="replace")
    try:
        whole = json.loads(header)
        whole["__metadata__"][SETTINGS] += settings
        header = json.dumps(whole).encode()
    except (ValueError, LookupError, TypeError, RecursionError):
        pass
    return len(header).to_bytes(8, "little") + header + parts["tensors"]


def _of_array(content: bytes, name: str = "") -> Parts:
    """An array of NumPy: the dict in its header, and the numbers."""
    found = NUMPY.match(content)
    return {f"{name} shape": found[2], f"{name} numbers": content[found.end() :]} if found else {name: content}


def _to_array(parts: Parts, name: str = "") -> bytes:
    if name in parts:
        return parts[name]
    text = parts[f"{name} shape"]
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) & 0xFFFF) + text + parts[f"{name} numbers"]


def _of_zip(content: bytes) -> Parts:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return {part: data for name, member in members.items() for part, data in _of_array(member, name).items()}


def _to_zip(parts: Parts) -> bytes:
    names = dict.fromkeys(name.removesuffix(" shape").removesuffix(" numbers") for name in parts)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, _to_array(parts, name))
    return file.getvalue()


def _of_png(content: bytes) -> Parts:
    parts: Parts = {}
    at = len(PNG)
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        parts[f"{len(parts)} {content[at + 4 : at + 8].decode()}"] = content[at + 8 : at + 8 + length]
        at += length + 12
    return parts


def _to_png(parts: Parts) -> bytes:
    chunks = [(name.split()[1].encode(), data) for name, data in parts.items()]
    return PNG + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def _of_tar(content: bytes) -> Parts:
    parts: Parts = {}
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for i, member in enumerate(archive):
            end = member.offset_data + -(-member.size // TAR_BLOCK) * TAR_BLOCK
            parts[f"{i} header"] = content[member.offset : member.offset_data]
            parts[f"{i} data"] = content[member.offset_data : end]
    return parts | {"end": bytes(2 * TAR_BLOCK)}


def _to_tar(parts: Parts) -> bytes:
    content = b""
    for name, part in parts.items():
        if name.endswith("header") and len(part) >= TAR_BLOCK:
            header = bytearray(part[:TAR_BLOCK])
            header[TAR_CHECKSUM] = b" " * 8
            header[TAR_CHECKSUM] = f"{sum(header):06o}\0 ".encode()
            part = bytes(header) + part[TAR_BLOCK:]
        content += part
    return content


def _of_cache(content: bytes) -> Parts:
    """The cells of a cache of codes; numbers as text."""
    with closing(sqlite3.connect(":memory:")) as database:
        # A file with a log beside it cannot be in memory.
        database.deserialize(content[:18] + b"\1\1" + content[20:])
        about = dict(database.execute("SELECT name, value FROM about"))
        rows = list(database.execute(f"SELECT {', '.join(COLUMNS)} FROM best"))  # noqa: S608
        schema = ";".join(sql for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL"))
    cells = {f"best {i} {name}": cell for i, row in enumerate(rows) for name, cell in zip(COLUMNS, row, strict=True)}
    cells |= {f"about {name}": value for name, value in about.items()} | {"schema": schema}
    return {name: cell if isinstance(cell, bytes) else str(cell).encode() for name, cell in cells.items()}


def _to_cache(parts: Parts) -> bytes:
    rows: dict[str, list[Any]] = {}
    with closing(sqlite3.connect(":memory:")) as database:
        database.executescript(parts["schema"].decode(errors="replace"))
        for name, cell in parts.items():
            table, _, column = name.partition(" ")
            if table == "about":
                database.execute("INSERT INTO about VALUES (?, ?)", (column, cell.decode(errors="surrogateescape")))
            elif table == "best":
                rows.setdefault(column.split()[0], []).append(_cell(cell, column.split()[1]))
        for row in rows.values():
            database.execute("INSERT INTO best VALUES (?, ?, ?, ?)", row)
        database.commit()
        return database.serialize()


def _cell(cell: bytes, column: str) -> object:
    if column in ("photo", "code"):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def _of_lines(content: bytes) -> Parts:
    return {str(i): line for i, line in enumerate(content.split(b"\n"))}


PLAIN = Layout(lambda content: {"": content}, lambda parts: parts[""])
LINES = Layout(_of_lines, lambda parts: b"\n".join(parts.values()))
SAFETENSORS = Layout(_of_safetensors, _to_safetensors)
ARRAY = Layout(_of_array, _to_array)
ZIP = Layout(_of_zip, _to_zip)
PNG_CHUNKS = Layout(_of_png, _to_png)
TAR = Layout(_of_tar, _to_tar)
CACHE = Layout(_of_cache, _to_cache)

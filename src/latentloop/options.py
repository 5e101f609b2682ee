"""Handling of jobs' options: nested dataclasses whose fields are addressed by their names alone."""

import difflib
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Options = TypeVar("Options")
PLAIN = {bool: "a bool", int: "an int", float: "a float", NoneType: "None", str: "a text", Path: "a path"}
"""Names of types, for error messages."""


def is_whole(value: object) -> bool:
    """Return whether a value is an integer of Python or NumPy, not a boolean."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_finite(value: object) -> bool:
    """Return whether a value is a finite real number, of Python or NumPy."""
    return isinstance(value, Real) and math.isfinite(value)


def check_kind(name: str, value: object, kind: type | tuple[type, ...], what: str) -> None:
    """Raise a ValueError unless an argument has one of some types.

    Args:
        name: Name of the argument.
        value: Value of the argument.
        kind: Allowed type, or types.
        what: Expected value, for the message: "a tensor (N, 3, R, R)".
    """
    if not isinstance(value, kind):
        given = repr(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
        raise ValueError(f"{name} must be {what}, got {given:.100}")


def check_path(path: object, *, name: str = "path") -> None:
    """Raise a ValueError unless an argument is a path: a text or a `pathlib` object."""
    check_kind(name, path, (str, os.PathLike), "a path")


def check_seed(seed: int) -> None:
    """Raise a ValueError unless a number is a seed that both PyTorch and NumPy accept, from 0 to 2^64 - 1."""
    if not is_whole(seed) or not 0 <= seed < 2**64:
        raise ValueError(f"seed must be from 0 to 2**64 - 1, got {seed!r}")


def check_choices(options: Any) -> None:  # noqa: ANN401 - any dataclass
    """Raise a ValueError unless every field of a dataclass with a `Literal` type has one of its values."""
    for name, hint in get_type_hints(type(options)).items():
        kinds, value = _kinds(hint), getattr(options, name)
        known = [choice for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
        if known and isinstance(value, str) and str not in kinds and value not in known:
            raise ValueError(f"{name} must be {' or '.join(map(_described, kinds))}, got {value}")


def flat_fields(options: Any) -> Iterator[tuple[Field[Any], Any]]:  # noqa: ANN401 - any dataclass
    """Yield the fields of an options dataclass with their values; nested dataclasses are flattened."""
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            yield from flat_fields(value)
        else:
            yield field, value


def with_changes(options: Options, changes: Mapping[str, Any], *, fixed: Mapping[str, str] | None = None) -> Options:
    """Copy an options dataclass with some fields changed, at any depth of nesting.

    Args:
        options: Frozen dataclass, whose fields may be dataclasses.
        changes: New values by the fields' names, such as `{"steps": 200, "lambda_lpips": 1.0}`. A single text or path
            counts as a tuple of one in a field that takes several.
        fixed: Fields that may not be changed here, with the name of the argument that decides each.

    Raises:
        TypeError: A field does not exist, is fixed, or does not take values of that type.
        ValueError: A value is not allowed for its field.
    """
    if given := sorted((fixed or {}).keys() & changes.keys()):
        raise TypeError(f"{given[0]} is decided by {(fixed or {})[given[0]]}")
    known = {field.name for field, _ in flat_fields(options)}
    for name in changes:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            raise TypeError(f"no option {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    changed: Options = _changed(options, changes)
    return changed


def _changed(options: Any, changes: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any dataclass
    new: dict[str, Any] = {}
    hints = get_type_hints(type(options))
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            new[field.name] = _changed(value, changes)
        elif field.name in changes:
            new[field.name] = _converted(field.name, changes[field.name], hints[field.name])
    return replace(options, **new)


def _converted(name: str, value: Any, hint: Any) -> Any:  # noqa: ANN401 - of an option's type
    """A value converted to its option's type, so that equal values give equal stamps."""
    kinds = _kinds(hint)
    if type(value) in kinds:
        return value
    for kind in kinds:
        if get_origin(kind) is tuple and isinstance(value, str | Path):
            value = (value,)
    for kind in kinds:
        if (found := _as_kind(value, kind)) is not MISSING:
            return found
    raise TypeError(f"{name} must be {' or '.join(map(_described, kinds))}, got {value!r:.100}")


def _kinds(hint: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any type
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _as_kind(value: Any, kind: Any) -> Any:  # noqa: ANN401 - the value is checked
    """A value converted to a type; `MISSING` if it has another type."""
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            return MISSING
        items = [_as_kind(item, get_args(kind)[0]) for item in value]
        return MISSING if any(item is MISSING for item in items) else tuple(items)
    if get_origin(kind) is Literal:
        return value if type(value) in map(type, get_args(kind)) else MISSING
    if not isinstance(value, bool):
        if isinstance(value, Integral) and kind is int:  # also those of NumPy
            return int(value)
        if isinstance(value, Real) and kind is float:
            return float(value)
    if isinstance(value, str | Path) and kind in (str, Path):
        return kind(value)
    return value if not isinstance(kind, type) or type(value) is kind else MISSING


def _described(kind: Any) -> str:  # noqa: ANN401 - any type
    if get_origin(kind) is tuple:
        return f"several of {_described(get_args(kind)[0])}"
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    return PLAIN.get(kind, getattr(kind, "__name__", str(kind)))

"""Options of jobs: dataclasses, some within others, whose fields are known by their names alone."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Options = TypeVar("Options")
PLAIN = {bool: "a bool", int: "an int", float: "a float", NoneType: "None"}
"""Types that an option's value is checked for, with their names in messages."""


def check_seed(seed: int) -> None:
    """Raise a ValueError unless a number is one that PyTorch and NumPy take as a seed."""
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be from 0 to 2**64 - 1, got {seed}")


def flat_fields(options: Any) -> Iterator[tuple[Field[Any], Any]]:  # noqa: ANN401 - any dataclass
    """Yield each field of an options dataclass with its value; in the place of a dataclass within it, its fields."""
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            yield from flat_fields(value)
        else:
            yield field, value


def with_changes(options: Options, changes: Mapping[str, Any]) -> Options:
    """Copy an options dataclass with some fields changed, wherever they lie within it.

    Args:
        options: A frozen dataclass, whose fields may be dataclasses.
        changes: New values by the fields' names, such as `{"steps": 200, "lambda_lpips": 1.0}`. A single text or path
            stands for a tuple of one where a field takes several.

    Raises:
        TypeError: There is no field of that name, or it takes no values of that type.
        ValueError: A value is not one that the field takes.
    """
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
    """The value in the type of its option, so that stamps of equal values are equal; other types are left alone."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    several = [get_args(kind)[0] for kind in kinds if get_origin(kind) is tuple]
    if isinstance(value, str | Path) and several in ([str], [Path]) and type(value) not in kinds:
        return (several[0](value),)
    return _plain(name, value, kinds) if set(kinds) <= PLAIN.keys() else value


def _plain(name: str, value: Any, kinds: tuple[Any, ...]) -> Any:  # noqa: ANN401 - the value is checked
    if type(value) in kinds:
        return value
    if not isinstance(value, bool):
        if isinstance(value, Integral) and int in kinds:  # also those of NumPy
            return int(value)
        if isinstance(value, Real) and float in kinds:
            return float(value)
    wanted = " or ".join(PLAIN[kind] for kind in kinds)
    raise TypeError(f"{name} must be {wanted}, got {value!r}")

"""Options of jobs: dataclasses, some within others, whose fields are known by their names alone."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import Field, fields, is_dataclass, replace
from typing import Any, TypeVar

Options = TypeVar("Options")


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
        changes: New values by the fields' names, such as `{"steps": 200, "lambda_lpips": 1.0}`.

    Raises:
        TypeError: There is no field of that name.
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
    for field in fields(options):
        value = getattr(options, field.name)
        if is_dataclass(value):
            new[field.name] = _changed(value, changes)
        elif field.name in changes:
            new[field.name] = changes[field.name]
    return replace(options, **new)

"""Plain containers for those of other classes that pickles hold."""

from typing import Any

from latentloop.checkpoints.pickle_machine import simple


def ordered_dict(items: Any = ()) -> dict[Any, Any]:  # noqa: ANN401
    """Build a dict from the key-value pairs that a file stores for an `OrderedDict`.

    Raises:
        ValueError: They are no pairs, or their keys are not simple.
    """
    if isinstance(items, dict):
        return dict(items)
    if not isinstance(items, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in items
    ):
        raise ValueError("items that are no pairs")
    pairs = [tuple(pair) for pair in items]
    simple([pair[0] for pair in pairs])
    return dict(pairs)


def dict_subclass(*args: Any) -> dict[Any, Any]:  # noqa: ANN401
    """Build a dict for an object of a class of dicts, from what its constructor is given, such as a default."""
    return ordered_dict(args[-1]) if args and isinstance(args[-1], dict | list | tuple) else {}


def shape_of(size: object = ()) -> tuple[Any, ...]:
    """Convert the sizes that a file stores for a `torch.Size` to a tuple.

    Raises:
        ValueError: They are no list of numbers.
    """
    if not isinstance(size, list | tuple):
        raise ValueError("a shape that is none")
    return tuple(size)

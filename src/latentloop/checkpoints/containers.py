"""Plain dicts and tuples in place of the container classes in pickles."""

from typing import Any

from latentloop.checkpoints.pickle_machine import simple


def ordered_dict(items: Any = ()) -> dict[Any, Any]:  # noqa: ANN401
    """Build a dict from the key-value pairs that a file stores for an `OrderedDict`.

    Raises:
        ValueError: The items are not pairs, or their keys are not simple (see `simple`).
    """
    if isinstance(items, dict):
        return dict(items)
    if not isinstance(items, list | tuple) or not all(
        isinstance(pair, list | tuple) and len(pair) == 2 for pair in items
    ):
        raise ValueError("items that are not pairs")
    pairs = [tuple(pair) for pair in items]  # keys are checked before they are hashed
    simple([pair[0] for pair in pairs])
    return dict(pairs)


def dict_subclass(*args: Any) -> dict[Any, Any]:  # noqa: ANN401
    """Build a dict in place of a dict subclass such as `defaultdict`, from the arguments of its constructor."""
    return ordered_dict(args[-1]) if args and isinstance(args[-1], dict | list | tuple) else {}


def shape_of(size: object = ()) -> tuple[Any, ...]:
    """Convert the sizes that a file stores for a `torch.Size` to a tuple.

    Raises:
        ValueError: The sizes are not a list or tuple.
    """
    if not isinstance(size, list | tuple):
        raise ValueError("a shape that is not a list of sizes")
    return tuple(size)

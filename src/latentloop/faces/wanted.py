"""Choice among the faces in a photo; without PyTorch, so that both runtimes share it."""

from collections.abc import Sequence

from latentloop.errors import UserError


def check_wanted(face: object) -> None:
    """Raise a ValueError unless `face` is "largest", "all" or a rank such as "2"."""
    if not isinstance(face, str) or (face not in ("largest", "all") and not face.isdecimal()):
        raise ValueError(f"face must be largest, all or a number, got {face!r}")


def chosen(face: str, count: int) -> Sequence[int]:
    """Return the indices of the chosen faces among those found, which are sorted largest first.

    Args:
        face: "largest", "all", or a rank by size such as "2"; "1" is the largest.
        count: Number of faces found.

    Raises:
        UserError: There is no face, or fewer faces than the rank asked for.
    """
    if not count:
        raise UserError(
            "no face found; is it large enough, and seen from the front? If the photo is already aligned, say so",
            arguments="aligned",
        )
    if face.isdecimal() and not 1 <= int(face) <= count:
        raise UserError(f"no face {face}: the photo has {count} face{'s' * (count > 1)}", arguments="face")
    return range(count) if face == "all" else [0 if face == "largest" else int(face) - 1]

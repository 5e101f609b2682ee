"""Which of the faces in a photo are wanted; for PyTorch and without it."""

from collections.abc import Sequence

from latentloop.errors import UserError


def check_wanted(face: object) -> None:
    """Raise ValueError unless a face is asked for as "largest", "all", or a number such as "2"."""
    if not isinstance(face, str) or (face not in ("largest", "all") and not face.isdecimal()):
        raise ValueError(f"face must be largest, all or a number, got {face!r}")


def chosen(face: str, count: int) -> Sequence[int]:
    """Choose among the faces that were found, the largest first, as indices.

    Args:
        face: "largest", "all", or a number such as "2": 1 is the largest.
        count: Faces that were found.

    Raises:
        UserError: There is none, or fewer than the number asked for.
    """
    if not count:
        raise UserError(
            "no face found; is it large enough, and seen from the front? If the photo is already aligned, say so",
            arguments="aligned",
        )
    if face.isdecimal() and not 1 <= int(face) <= count:
        raise UserError(f"no face {face}: the photo has {count} face{'s' * (count > 1)}", arguments="face")
    return range(count) if face == "all" else [0 if face == "largest" else int(face) - 1]

"""Licences as a model card names them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from latentloop.errors import UserError, in_one_line

KNOWN = frozenset(
    [
        "apache-2.0",
        "bsd",
        "bsd-2-clause",
        "bsd-3-clause",
        "cc",
        "cc-by-4.0",
        "cc-by-nc-4.0",
        "cc-by-nc-nd-4.0",
        "cc-by-nc-sa-4.0",
        "cc-by-nd-4.0",
        "cc-by-sa-4.0",
        "cc0-1.0",
        "creativeml-openrail-m",
        "gpl",
        "gpl-2.0",
        "gpl-3.0",
        "agpl-3.0",
        "isc",
        "lgpl",
        "lgpl-3.0",
        "mit",
        "mpl-2.0",
        "openrail",
        "openrail++",
        "unlicense",
        "zlib",
    ]
)
"""Licences that the Hub knows by these names; of others a card says "other", and how they are called."""

NONE_OF_ITS_OWN = frozenset(["", "unknown", "as the generator's"])
"""Licence texts of directions that have no licence of their own; a computed one is "as the generator's"."""


@dataclass(frozen=True)
class Licence:
    """A licence, as a model card names it."""

    name: str
    """Its name: the Hub's, where it has one."""
    about: str = ""
    """A sentence about it."""

    @property
    def metadata(self) -> dict[str, str]:
        """Entries of a model card."""
        if self.name in KNOWN:
            return {"license": self.name}
        return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", self.name.lower()).strip("-")}


NON_COMMERCIAL = Licence(
    "non-commercial-research",
    "Its latent space is that of latentloop's bundled generators, which descend from NVIDIA's StyleGAN2 and the FFHQ\n"
    "photos: for non-commercial research alone.",
)
"""Terms of the bundled generators, and of all that is made from them."""


def licence_named(text: str) -> Licence:
    """Name a licence as the Hub does.

    Raises:
        UserError: The text has no letters.
    """
    short = in_one_line(UserError(text)).strip()
    if not re.search(r"[A-Za-z]", short):
        raise UserError(f"{short}: not the name of a licence", arguments="licence")
    return Licence(short.lower() if short.lower() in KNOWN else short)


def own_licence(text: str) -> str:
    """Name the licence that a direction has of its own; empty if it has none.

    Args:
        text: What the direction says of its licence.
    """
    named = text.strip().lower() not in NONE_OF_ITS_OWN and re.search(r"[A-Za-z]", text)
    return licence_named(text).name if named else ""


def licence_of_all(names: Iterable[str]) -> Licence | None:
    """Name the licence of a whole by those of its parts; None if a part has none.

    Args:
        names: Licence of each part; empty for a part that has none.
    """
    different = sorted(set(names))
    return licence_named(" and ".join(different)) if different and all(different) else None

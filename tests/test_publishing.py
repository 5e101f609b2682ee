"""`latentloop push`, against a stand-in of the Hub that the real client writes to."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import latentloop as ll
from hub_stand_in import LARGE, TOKEN, Handler, StandIn
from latentloop.encoders import PRESETS, make_embedder, save_embedder
from latentloop.errors import UserError
from latentloop.generators.registry import SHIPPED
from latentloop.publishing import PushOptions, set_up_push
from latentloop.publishing.card import is_untouched
from latentloop.publishing.licences import licence_named
from latentloop.weights import ASSETS, write_ours
from small_generators import SmallGenerator

# The client uploads in a way that its own HTTP library advises against.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
Run = Callable[..., tuple[int, list[str], list[str]]]
DIRECTIONS = ASSETS / "directions-ffhq.safetensors"


def metadata(card: str) -> dict[str, str]:
    head = re.match(r"---\n(.*?)\n---\n", card, flags=re.DOTALL)
    assert head
    return dict(line.split(": ", 1) for line in head[1].splitlines())


@pytest.mark.usefixtures("logged_in")
def test_what_is_pushed_is_used_by_its_address(stand_in: StandIn, small_generator: SmallGenerator, run: Run) -> None:
    path = small_generator()
    assert path.stat().st_size > LARGE  # so that it goes through LFS
    code, lines, errors = run("push", str(path), "anna/cats")
    assert code == 0, errors
    repo = stand_in.repos["anna/cats"]
    assert lines == [f"hf://anna/cats/small.safetensors@{repo.head}"]
    assert repo.private
    assert set(repo.files) == {"small.safetensors", "README.md"}
    assert repo.files["small.safetensors"] == path.read_bytes()
    assert ll.load_generator("hf://anna/cats").fingerprint == ll.load_generator(path).fingerprint
    card = repo.files["README.md"].decode()
    assert ll.load_generator(path).fingerprint in card
    assert "latentloop embed photo.jpg --generator hf://anna/cats/small.safetensors" in card
    assert metadata(card)["library_name"] == '"latentloop"'
    assert metadata(card)["pipeline_tag"] == '"image-to-image"'
    assert f"Bearer {TOKEN}" in stand_in.tokens


@pytest.mark.usefixtures("logged_in")
def test_a_public_repository_is_made_only_if_asked_for(stand_in: StandIn, small_generator: SmallGenerator) -> None:
    assert ll.push(small_generator(), "anna/cats", public=True).startswith("hf://anna/cats/small.safetensors@")
    assert not stand_in.repos["anna/cats"].private


@pytest.mark.usefixtures("logged_in")
def test_a_newer_version_replaces_the_older_one(small_generator: SmallGenerator, run: Run) -> None:
    path = small_generator()
    first = run("push", str(path), "anna/cats")[1]
    assert ll.load_generator("hf://anna/cats").resolution == 32
    small_generator(64).replace(path)
    second = run("push", str(path), "anna/cats")
    assert second[0] == 0, second
    assert second[1] != first
    assert ll.load_generator("hf://anna/cats").resolution == 64  # in the same process


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize(
    ("there", "problem"),
    [
        ({"small.safetensors": b"somebody's"}, "not such a file of latentloop; it is left alone.*--replace"),
        ({"README.md": b"# My cats"}, "its README.md is not the one that push wrote .*--replace.*--no-card"),
    ],
)
def test_what_is_somebody_elses_stays(
    stand_in: StandIn, small_generator: SmallGenerator, run: Run, there: dict[str, bytes], problem: str
) -> None:
    stand_in.add("anna/cats", there)
    code, lines, errors = run("push", str(small_generator()), "anna/cats")
    assert (code, lines) == (2, [])
    assert re.search(problem, errors[0])
    assert stand_in.repos["anna/cats"].files == there
    assert run("push", str(small_generator()), "anna/cats", "--replace")[0] == 0
    assert "latentloop push" in stand_in.repos["anna/cats"].files["README.md"].decode()


@pytest.mark.usefixtures("logged_in")
def test_a_card_that_was_edited_stays(stand_in: StandIn, small_generator: SmallGenerator, run: Run) -> None:
    path = str(small_generator())
    assert run("push", path, "anna/cats")[0] == 0
    card = stand_in.repos["anna/cats"].files["README.md"]
    assert is_untouched(card.decode(), "small.safetensors")
    assert not is_untouched(card.decode(), "other.safetensors")
    mine = card.replace(b"## Use", b"## How I made it\n\n## Use")
    stand_in.add("anna/cats", {"README.md": mine})
    assert run("push", path, "anna/cats")[0] == 2
    assert run("push", path, "anna/cats", "--no-card")[0] == 0
    assert stand_in.repos["anna/cats"].files["README.md"] == mine


def test_a_dry_run_asks_nobody(stand_in: StandIn, small_generator: SmallGenerator, run: Run) -> None:
    path = small_generator()
    code, lines, errors = run("push", str(path), "anna/cats", "--dry-run")
    assert (code, errors) == (0, [])
    assert lines[0] == "---"
    assert lines[-2] == f"would upload small.safetensors, {path.stat().st_size:,} bytes, to anna/cats"
    assert "would upload README.md" in lines[-1]
    assert stand_in.requests == []


def test_who_is_not_logged_in_is_told_how(stand_in: StandIn, small_generator: SmallGenerator, run: Run) -> None:
    code, lines, errors = run("push", str(small_generator()), "anna/cats")
    assert (code, lines) == (2, [])
    assert errors[0].endswith("answered 401; log in with: hf auth login")
    assert not stand_in.repos


@pytest.mark.usefixtures("logged_in")
def test_a_failed_upload_is_said_in_a_line(
    stand_in: StandIn, small_generator: SmallGenerator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "do_PUT", lambda handler: handler._send((403, {}, handler._body()[:0])))
    code, lines, errors = run("push", str(small_generator()), "anna/cats")
    assert (code, lines) == (2, [])
    assert errors[-1].endswith("answered 403; this account, or its token, may not do that")
    assert not stand_in.repos["anna/cats"].files


@pytest.mark.usefixtures("logged_in")
def test_a_commit_of_somebody_else_in_between_stays(
    stand_in: StandIn, small_generator: SmallGenerator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.add("anna/cats", {"notes.txt": b"1"})

    def batch(handler: Handler, wanted: dict[str, object]) -> object:  # while the file is uploaded
        stand_in.add("anna/cats", {"README.md": b"# My cats"})
        return before(handler, wanted)

    before = Handler._batch
    monkeypatch.setattr(Handler, "_batch", batch)
    code, lines, errors = run("push", str(small_generator()), "anna/cats")
    assert (code, lines) == (2, [])
    assert "answered 412" in errors[-1]
    assert stand_in.repos["anna/cats"].files["README.md"] == b"# My cats"


@pytest.mark.usefixtures("logged_in")
def test_without_a_connection_nothing_is_said_of_a_cache(
    small_generator: SmallGenerator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    code, _, errors = run("push", str(small_generator()), "anna/cats")
    assert code == 2
    assert errors[-1].endswith("safetensors: http://127.0.0.1:9 cannot be reached; try again when connected")


def test_without_the_client_the_extra_is_named(
    small_generator: SmallGenerator, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    code, _, errors = run("push", str(small_generator()), "anna/cats")
    assert code == 2
    assert "pip install 'latentloop[hub]'" in errors[0]


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
    assert "MIT and NVIDIA Source Code License, non-commercial." in job.card
    assert "`smile`" in job.card
    assert "--set hf://anna/ways/directions-ffhq.safetensors:age=1" in job.card


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


def test_other_files_are_refused_with_what_to_do(tmp_path: Path, run: Run) -> None:
    (tmp_path / "cats.pkl").write_bytes(b"\x80\x04N.")
    write_ours(tmp_path / "m.safetensors", "metric", {}, {"a": 1})
    for name, problem in (
        ("cats.pkl", f"convert it first: latentloop convert {tmp_path / 'cats.pkl'} cats.safetensors"),
        ("m.safetensors", "holds 'metric'; push takes generators, embedding networks and directions"),
        ("none.safetensors", "no such file"),
    ):
        code, _, errors = run("push", str(tmp_path / name), "anna/cats", "--dry-run")
        assert code == 2
        assert problem in errors[0]


@pytest.mark.parametrize("repo", ["cats", "anna/cats/more", "anna/cats@main", "hf://anna/cats/f.pkl"])
def test_a_repository_is_an_owner_and_a_name(repo: str) -> None:
    with pytest.raises(UserError):
        set_up_push(DIRECTIONS, repo, PushOptions())


@pytest.mark.usefixtures("logged_in")
@pytest.mark.parametrize("there", [b'{"a": 3}', b"[]", b'{"__metadata__": ["latentloop"]}', b"[" * 60_000, None])
def test_a_damaged_file_there_stays(
    stand_in: StandIn, small_generator: SmallGenerator, run: Run, there: bytes | None
) -> None:
    content = b"" if there is None else len(there).to_bytes(8, "little") + there
    stand_in.add("anna/cats", {"small.safetensors": content})
    code, lines, errors = run("push", str(small_generator()), "anna/cats")
    assert (code, lines, len(errors)) == (2, [], 1)
    assert "not such a file of latentloop; it is left alone" in errors[0]
    assert stand_in.repos["anna/cats"].files == {"small.safetensors": content}


@pytest.mark.parametrize("name", ["x@2.safetensors", "a:b.safetensors", "new\nline.safetensors"])
def test_a_name_that_no_address_can_have_is_refused(small_generator: SmallGenerator, name: str) -> None:
    path = small_generator()
    with pytest.raises(UserError, match="an address on the Hub cannot have such a name; rename the file"):
        set_up_push(path.rename(path.with_name(name)), "anna/cats", PushOptions())

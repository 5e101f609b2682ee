"""Which file an address without one means, with and without a connection."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import latentloop as ll
from hub_stand_in import StandIn
from latentloop import hub
from latentloop.errors import Notice, UserError
from latentloop.hub import GENERATORS, HubAddress, local_name, pinned
from latentloop.hub.fetching import MAX_LOOKS, MAX_UNNAMED
from latentloop.safetensors_header import MAX_BYTES
from latentloop.weights import write_ours

Run = Callable[..., tuple[int, list[str], list[str]]]


def test_without_a_file_it_is_the_only_one_with_weights(stand_in: StandIn) -> None:
    stand_in.add("anna/cats", {"README.md": b"# cats", "config.json": b"{}", "deep/g.pkl": b"one"})
    assert Path(local_name("hf://anna/cats")).name == "g.pkl"


def test_without_a_file_it_is_the_one_of_ours_of_the_wanted_kind(
    stand_in: StandIn, both: dict[str, bytes | Path]
) -> None:
    stand_in.add("anna/cats", both)
    assert Path(local_name("hf://anna/cats", *GENERATORS)).name == "g.safetensors"
    assert Path(local_name("hf://anna/cats", "embedder")).name == "net.safetensors"
    generator = ll.load_generator("hf://anna/cats")
    assert generator.name == "g"
    assert ll.load_embedder("hf://anna/cats", generator).fingerprint == generator.fingerprint


def test_of_several_files_one_must_be_named(stand_in: StandIn, both: dict[str, bytes | Path]) -> None:
    stand_in.add("anna/cats", both)
    with pytest.raises(UserError, match=r"holds several files, name one, as in hf://anna/cats/g.safetensors; it has g"):
        local_name("hf://anna/cats")


def test_a_repository_without_weights_is_named(stand_in: StandIn) -> None:
    stand_in.add("anna/poems", {"README.md": b"", "poem.txt": b""})
    with pytest.raises(UserError, match=r"holds no file of weights, codes or directions, but README.md, poem.txt"):
        local_name("hf://anna/poems")


def test_offline_the_cache_serves(stand_in: StandIn, offline: Callable[[], None]) -> None:
    commit = stand_in.add("anna/cats", {"g.pkl": b"one"})
    local_name("hf://anna/cats/g.pkl")
    offline()
    asked = len(stand_in.requests)
    for address in ("hf://anna/cats/g.pkl", "hf://anna/cats", f"hf://anna/cats@{commit}", "hf://anna/cats@main"):
        assert Path(local_name(address)).read_bytes() == b"one"
        assert pinned(address) == f"hf://anna/cats/g.pkl@{commit}"
    for address in ("hf://anna/cats/other.pkl", "hf://anna/dogs"):
        with pytest.raises(UserError, match="not in the cache, and HF_HUB_OFFLINE is set; try again when connected"):
            local_name(address)
    assert len(stand_in.requests) == asked


def test_without_a_connection_the_cache_serves_and_says_so(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = stand_in.add("anna/cats", {"g.pkl": b"one"})
    local_name("hf://anna/cats/g.pkl")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    hub.forget()
    with pytest.warns(
        Notice, match=f"hf://anna/cats: http://127.0.0.1:9 cannot be reached; commit {commit} in the cache"
    ):
        assert Path(local_name("hf://anna/cats")).read_bytes() == b"one"
    assert Path(local_name(f"hf://anna/cats@{commit}")).read_bytes() == b"one"  # never an older one: nothing is said
    with pytest.raises(UserError, match=r"hf://anna/dogs: not in the cache, and http://127.0.0.1:9 cannot be reached"):
        local_name("hf://anna/dogs")


@pytest.mark.filterwarnings("always::latentloop.errors.Notice")
def test_a_command_says_in_one_line_that_the_cache_serves(
    stand_in: StandIn, both: dict[str, bytes | Path], run: Run
) -> None:
    commit = stand_in.add("anna/cats", both)
    assert run("inspect", "hf://anna/cats/g.safetensors")[::2] == (0, [])
    stand_in.failing = 503
    hub.forget()
    code, _, errors = run("inspect", "hf://anna/cats/g.safetensors")
    assert code == 0
    problem = f"{stand_in.endpoint} answered 503; commit {commit} in the cache is used, maybe an older one"
    assert errors == [f"latentloop: hf://anna/cats: {problem}"]
    hub.forget()
    assert run("inspect", f"hf://anna/cats/g.safetensors@{commit}")[::2] == (0, [])  # which is never an older one


def test_offline_the_cache_decides_only_if_it_knows(
    stand_in: StandIn, both: dict[str, bytes | Path], offline: Callable[[], None]
) -> None:
    stand_in.add("anna/cats", both)
    local_name("hf://anna/cats/g.safetensors")
    offline()
    assert Path(local_name("hf://anna/cats", *GENERATORS)).name == "g.safetensors"
    advice = "HF_HUB_OFFLINE is set, and the cache does not tell which file is meant; name it, as in hf://anna/cats/"
    with pytest.raises(UserError, match=f"{advice}g.safetensors; in the cache is g.safetensors"):
        local_name("hf://anna/cats")
    with pytest.raises(UserError, match=advice):
        local_name("hf://anna/cats", "embedder")


def test_offline_what_another_program_downloaded_must_be_named(stand_in: StandIn, offline: Callable[[], None]) -> None:
    import huggingface_hub

    stand_in.add("anna/cats", {"g.pkl": b"one", "better.pkl": b"two"})
    huggingface_hub.hf_hub_download("anna/cats", "g.pkl")
    offline()
    for _ in range(2):
        with pytest.raises(UserError, match=r"does not tell which file is meant; name it, as in hf://anna/cats/g.pkl;"):
            local_name("hf://anna/cats")
        assert Path(local_name("hf://anna/cats/g.pkl")).read_bytes() == b"one"
        hub.forget()  # what the cache has is not taken for all that there is


def test_the_only_file_of_ours_must_be_of_the_wanted_kind(stand_in: StandIn, both: dict[str, bytes | Path]) -> None:
    stand_in.add("anna/net", {"net.safetensors": both["net.safetensors"]})
    with pytest.raises(UserError, match=r"its only file, net.safetensors, holds 'embedder', not mobilestylegan or"):
        local_name("hf://anna/net", *GENERATORS)
    assert not any(request.startswith("HEAD") for request in stand_in.requests)  # as before a download
    assert Path(local_name("hf://anna/net", "embedder")).name == "net.safetensors"
    assert Path(local_name("hf://anna/net")).name == "net.safetensors"


@pytest.mark.parametrize("size", [MAX_UNNAMED, MAX_UNNAMED + 10**8])
def test_a_large_file_is_downloaded_only_if_it_is_named(stand_in: StandIn, size: int) -> None:
    stand_in.add("anna/cats", {"g.pkl": b"one"})
    stand_in.sizes["g.pkl"] = size
    if size > MAX_UNNAMED:
        with pytest.raises(UserError, match=r"g.pkl has 4.1 GB; to download it, name it: hf://anna/cats/g.pkl@main$"):
            local_name("hf://anna/cats@main")
        assert not any("/resolve/" in request for request in stand_in.requests)  # nothing was downloaded
        assert Path(local_name("hf://anna/cats/g.pkl@main")).is_file()
    assert Path(local_name("hf://anna/cats@main")).is_file()


def test_more_files_than_are_looked_at_are_named(stand_in: StandIn, tmp_path: Path) -> None:
    write_ours(tmp_path / "m.safetensors", "stylegan2", {}, {"a": 1})
    others = {f"z{i}.safetensors": b"?" for i in range(MAX_LOOKS)}
    stand_in.add("anna/many", {"a.safetensors": tmp_path / "m.safetensors", **others})
    with pytest.raises(UserError, match="holds several files, name one"):
        local_name("hf://anna/many", *GENERATORS)


def test_a_revision_means_one_commit_for_all_files_and_kinds(stand_in: StandIn, both: dict[str, bytes | Path]) -> None:
    first = stand_in.add("anna/cats", both)
    assert pinned("hf://anna/cats", *GENERATORS) == f"hf://anna/cats/g.safetensors@{first}"
    stand_in.add("anna/cats", {"net.safetensors": b"another", "old.pkl": b"another"})
    assert pinned("hf://anna/cats", "embedder") == f"hf://anna/cats/net.safetensors@{first}"
    assert Path(local_name("hf://anna/cats/old.pkl")).read_bytes() == b"?"


def test_files_that_no_address_can_name_are_left_out(stand_in: StandIn) -> None:
    files = dict.fromkeys(["x@2.pkl", "a:b.pkl", "back\\slash.pkl", "new\nline.pkl", "g.pkl"], b"one")
    stand_in.add("anna/cats", files)
    assert hub.is_exact(HubAddress("anna/cats", "g.pkl", "c0ffee"))
    for name in [*files][:-1]:
        assert not hub.is_exact(HubAddress("anna/cats", name, "c0ffee"))
    assert Path(local_name("hf://anna/cats")).name == "g.pkl"


def header(content: object) -> bytes:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return struct.pack("<Q", len(text)) + text


HOSTILE = {
    "a number for a tensor": header({"a": 3}),
    "a list": header([]),
    "deep": header(b'{"a":' + b"[" * 60_000 + b"]" * 60_000 + b"}"),  # longer than what is read at first
    "a list for the metadata": header({"__metadata__": ["latentloop"]}),
    "a number for our entry": header({"__metadata__": {"latentloop": 3}}),
    "empty": b"",
    "cut off": struct.pack("<Q", 100) + b"{",
    "claims more than there is": struct.pack("<Q", MAX_BYTES) + b"{}",
    "claims 2^63": struct.pack("<Q", 1 << 63) + b"{}",
}
"""Beginnings of files that are no safetensors files."""


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_header_is_no_file_of_ours(
    stand_in: StandIn, both: dict[str, bytes | Path], content: bytes, run: Run
) -> None:
    files = {"bad.safetensors": content, "g.safetensors": both["g.safetensors"]}
    stand_in.add("eve/cats", files)
    assert Path(local_name("hf://eve/cats", *GENERATORS)).name == "g.safetensors"
    stand_in.add("eve/alone", {"bad.safetensors": content})
    code, lines, errors = run("inspect", "hf://eve/alone")
    assert (code, lines) == (2, [])
    assert sum(line.startswith("latentloop: ") for line in errors) == 1  # beside the client's progress, if that is slow
    assert not any("Traceback" in line for line in errors)


def test_a_long_header_is_read_to_its_end(stand_in: StandIn, tmp_path: Path) -> None:
    write_ours(tmp_path / "long.safetensors", "stylegan2", {}, {"text": "x" * 200_000})
    stand_in.add("anna/cats", {"long.safetensors": tmp_path / "long.safetensors", "old.pkl": b"?"})
    assert Path(local_name("hf://anna/cats", *GENERATORS)).name == "long.safetensors"


@pytest.mark.parametrize(
    "command", ["embed {}", "bulk {}", "edit {} --set smile=1", "mix seed:1 --styles {}", "morph seed:1 {}"]
)
def test_photos_are_not_taken_from_the_hub(command: str, run: Run) -> None:
    code, lines, errors = run(*command.format("hf://anna/cats/a/p.jpg").split())
    assert (code, lines) == (2, [])
    advice = "photos are not taken from the Hub; download it first, with: hf download anna/cats a/p.jpg"
    assert errors == [f"latentloop: hf://anna/cats/a/p.jpg: {advice}"]


def test_functions_take_no_photos_from_the_hub_either() -> None:
    from latentloop.photo_editing.subjects import expand_arguments
    from latentloop.photos.find import find_photos
    from latentloop.pictures.inputs import as_image

    address = "hf://anna/cats/p.jpg"
    for function in (as_image, lambda name: find_photos([name]), lambda name: expand_arguments([name])):
        with pytest.raises(UserError, match=f"^{address}: photos are not taken from the Hub"):
            function(address)

"""Addresses of the Hugging Face Hub, against a stand-in that the real client asks."""

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import latentloop as ll
from hub_stand_in import StandIn
from latentloop import hub
from latentloop.errors import UserError
from latentloop.generators.generator_file import BUILDERS
from latentloop.hub import GENERATORS, HubAddress, is_address, local_name, parse_address, pinned

Run = Callable[..., tuple[int, list[str], list[str]]]


def test_the_kinds_of_generators_are_those_that_can_be_built() -> None:
    assert set(GENERATORS) == set(BUILDERS)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("hf://anna/cats", HubAddress("anna/cats")),
        ("hf://anna/cats/g.pkl", HubAddress("anna/cats", "g.pkl")),
        ("hf://anna/cats/a/g.pkl@v1", HubAddress("anna/cats", "a/g.pkl", "v1")),
        ("hf://anna/cats@refs/pr/1", HubAddress("anna/cats", None, "refs/pr/1")),
        ("hf://anna/cats/d.safetensors:smile", HubAddress("anna/cats", "d.safetensors", None, "smile")),
        ("hf://anna/cats@main:smile", HubAddress("anna/cats", None, "main", "smile")),
    ],
)
def test_an_address_has_parts(text: str, address: HubAddress) -> None:
    assert parse_address(text) == address
    assert str(address) == text
    assert parse_address(Path(text)) == address  # which makes one slash of two


@pytest.mark.parametrize(
    "text", ["hf://anna", "hf://anna/", "hf://anna/cats/../../x", "hf://anna/cats@../x", "hf://a//b"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="not an address on the Hub; write hf://OWNER/REPO"):
        parse_address(text)


def test_other_names_stay_as_they_are(tmp_path: Path) -> None:
    for name in ("mobile-ffhq-1024", "hf.pkl", "C:/hf/x.pkl", str(tmp_path)):
        assert not is_address(name)
        assert local_name(name) == pinned(name) == name


def test_a_file_is_downloaded_once_and_its_commit_is_known(stand_in: StandIn) -> None:
    commit = stand_in.add("anna/cats", {"a/g.pkl": b"one"})
    assert Path(local_name("hf://anna/cats/a/g.pkl")).read_bytes() == b"one"
    assert pinned("hf://anna/cats/a/g.pkl") == f"hf://anna/cats/a/g.pkl@{commit}"
    assert sum(request.startswith("GET /anna") for request in stand_in.requests) == 1


def test_a_process_keeps_to_one_commit(stand_in: StandIn) -> None:
    first = stand_in.add("anna/cats", {"g.pkl": b"one"})
    assert pinned("hf://anna/cats/g.pkl").endswith(first)
    second = stand_in.add("anna/cats", {"g.pkl": b"two"})
    assert Path(local_name("hf://anna/cats/g.pkl")).read_bytes() == b"one"
    hub.forget()  # as in the next process
    assert Path(local_name("hf://anna/cats/g.pkl")).read_bytes() == b"two"
    assert pinned("hf://anna/cats").endswith(second)
    assert Path(local_name(f"hf://anna/cats/g.pkl@{first}")).read_bytes() == b"one"


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("hf://anna/none", "no such repository, or a private one: for a private one log in with: hf auth login"),
        ("hf://anna/none/g.pkl", "no such repository, or a private one: for a private one log in with: hf auth login"),
        ("hf://anna/secret", "no such repository, or a private one"),
        ("hf://anna/gated/g.pkl", "its owner asks for an agreement; give it at http://.*/anna/gated, then log in"),
        ("hf://anna/gated", "its owner asks for an agreement"),
        ("hf://anna/cats@v9", "no such revision; a branch, tag or commit comes last: hf://anna/cats/FILE@main"),
        ("hf://anna/cats/g.pkl@v9", "no such revision"),
        ("hf://anna/cats/x.pkl", "no such file in the repository; it has g.pkl, README.md"),
        ("hf://anna/ca ts", "not an address; write hf://OWNER/REPO"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(stand_in: StandIn, address: str, problem: str) -> None:
    stand_in.add("anna/cats", {"g.pkl": b"one", "README.md": b""})
    stand_in.add("anna/secret", {"g.pkl": b"one"}, private=True)
    stand_in.add("anna/gated", {"g.pkl": b"one"}, gated=True)
    with pytest.raises(UserError, match=f"^{address}: {problem}") as error:
        local_name(address)
    assert "\n" not in str(error.value)


@pytest.mark.usefixtures("logged_in")
def test_the_clients_token_opens_what_is_private(stand_in: StandIn) -> None:
    stand_in.add("anna/secret", {"g.pkl": b"one"}, private=True)
    assert Path(local_name("hf://anna/secret")).read_bytes() == b"one"


def test_a_failing_hub_is_told_from_a_missing_file(stand_in: StandIn) -> None:
    stand_in.failing = 418
    with pytest.raises(UserError, match=r"hf://anna/cats: http://\S+ answered 418; try again later"):
        local_name("hf://anna/cats")


def test_without_the_client_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    hub.forget()
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"needs huggingface_hub: pip install 'latentloop\[hub\]'"):
        local_name("hf://anna/cats")


class Bomb:
    """Runs a program when it is unpickled."""

    def __init__(self, touched: Path) -> None:
        self.touched = touched

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return Path.touch, (str(self.touched),)


def test_a_download_is_never_executed(stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.add("eve/trap", {"g.pkl": pickle.dumps({"G_ema": Bomb(tmp_path / "touched")})})
    with pytest.raises(UserError):
        ll.load_generator("hf://eve/trap")
    assert not (tmp_path / "touched").exists()


def test_every_command_takes_an_address(
    stand_in: StandIn, both: dict[str, bytes | Path], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = stand_in.add("anna/cats", both)
    monkeypatch.chdir(tmp_path)

    def done(line: str) -> list[str]:
        code, lines, errors = run(*line.split())
        assert code == 0, (line, errors)
        return lines

    assert done("inspect hf://anna/cats") == done(f"inspect {both['g.safetensors']!s}")
    done("convert hf://anna/cats/g.safetensors mine.safetensors")
    done("generate --generator hf://anna/cats --count 1 --out drawn")
    done("metric hf://anna/cats --samples 2 --out metric.safetensors")
    done("export mapping --generator hf://anna/cats --out onnx")
    assert {path.suffix for path in Path("onnx").iterdir()} >= {".onnx", ".json"}
    done("directions find --generator hf://anna/cats --method sefa --count 2 --out d.safetensors")
    stand_in.add("anna/ways", {"d.safetensors": tmp_path / "d.safetensors"})
    name = next(iter(ll.editing.read_directions(tmp_path / "d.safetensors")))
    assert done("directions list hf://anna/ways --generator hf://anna/cats")[1].startswith(name)
    done(f"edit seed:1 --generator hf://anna/cats --set hf://anna/ways:{name}=1 --out edited")
    (code,) = Path("edited").rglob("*.npz")
    stand_in.add("anna/codes", {"code.npz": code})
    done(f"edit hf://anna/codes --generator hf://anna/cats --set hf://anna/ways:{name}=-1 --out e2")
    assert ll.load_code("hf://anna/codes").generator == "g"
    pins = [request for request in stand_in.requests if f"/anna/cats/resolve/{commit}/g.safetensors" in request]
    assert [request.partition(" ")[0] for request in pins] == ["GET", "HEAD", "GET"]  # header, then one download
    assert sum("/api/models/anna/cats" in request for request in stand_in.requests) == 1


def test_the_studio_takes_addresses(stand_in: StandIn, both: dict[str, bytes | Path]) -> None:
    from latentloop.studio.options import StudioOptions
    from latentloop.studio.server import _model

    stand_in.add("anna/cats", both)
    options = StudioOptions(generator="hf://anna/cats", embedder="hf://anna/cats", device="cpu")
    model = _model(options)
    assert model.components.generator.name == "g"
    assert model.components.encoder is not None


def test_bulk_takes_addresses(stand_in: StandIn, both: dict[str, bytes | Path]) -> None:
    from latentloop.bulk.coder import load_photo_coder
    from latentloop.bulk.options import BulkOptions
    from latentloop.common import Common

    commit = stand_in.add("anna/cats", both)
    options = BulkOptions(common=Common(generator="hf://anna/cats", device="cpu"), embedder="hf://anna/cats")
    resolved = load_photo_coder(options).options  # as the workers get them
    assert resolved.common.generator == f"hf://anna/cats/g.safetensors@{commit}"
    assert resolved.embedder == f"hf://anna/cats/net.safetensors@{commit}"


def test_a_result_names_the_commit_and_is_made_again_if_the_file_changed(
    stand_in: StandIn, both: dict[str, bytes | Path], small_photos: Callable[..., Path], tmp_path: Path, run: Run
) -> None:
    commit, generator = stand_in.add("anna/cats", both), both["g.safetensors"]
    assert isinstance(generator, Path)
    (photo,) = sorted(small_photos(generator, 1).iterdir())
    options = "--generator hf://anna/cats --aligned --start average --steps 1 --lambda-lpips 0"
    arguments = ("embed", str(photo), *options.split(), "--out", str(tmp_path / "out"))

    def embed() -> tuple[str, int]:
        hub.forget()  # as each process begins
        code, _, errors = run(*arguments)
        assert code == 0, errors
        made = (tmp_path / "out" / "0.npz").stat().st_mtime_ns
        return ll.load_code(tmp_path / "out" / "0.npz").details["settings"]["generator_source"], made

    source, made = embed()
    assert source == f"hf://anna/cats/g.safetensors@{commit}"
    assert json.loads((tmp_path / "out" / "results.json").read_text())["settings"]["generator_source"] == source
    stand_in.add("anna/cats", {"README.md": b"# Cats"})
    assert embed() == (source, made)  # another commit, the same weights
    other = ll.generators.read_generator_file(ll.weights.WeightsFile(generator))
    changed = {name: tensor * 1.01 for name, tensor in other.tensors.items()}
    write = ll.generators.write_generator_file
    write(tmp_path / "new.safetensors", ll.generators.GeneratorFile(other.kind, changed, other.settings))
    latest = stand_in.add("anna/cats", {"g.safetensors": tmp_path / "new.safetensors"})
    assert embed()[0] == f"hf://anna/cats/g.safetensors@{latest}"


def test_a_training_run_goes_on_with_the_commit_that_it_began_with(stand_in: StandIn, tmp_path: Path) -> None:
    from latentloop.training.options import TrainOptions
    from latentloop.training.settings_file import read_options, write_options

    commit = stand_in.add("anna/cats", {"g.pkl": b"one"})
    write_options(TrainOptions(generator="hf://anna/cats", out=tmp_path))
    assert read_options(tmp_path).generator == f"hf://anna/cats/g.pkl@{commit}"


def test_a_start_may_be_an_address(stand_in: StandIn, both: dict[str, bytes | Path], tmp_path: Path) -> None:
    generator = both["g.safetensors"]
    assert isinstance(generator, Path)
    model = ll.load(generator, device="cpu", precision="float32")
    found = model.invert(
        torch.zeros(3, 32, 32), aligned=True, start="average", steps=0, lambda_lpips=0.0, lambda_identity=0.0
    )
    found.save(tmp_path / "code.npz")
    stand_in.add("anna/codes", {"code.npz": tmp_path / "code.npz"})
    again = model.invert(torch.zeros(3, 32, 32), aligned=True, start="hf://anna/codes", steps=0, lambda_lpips=0.0)
    torch.testing.assert_close(again.code.w_plus, found.code.w_plus)

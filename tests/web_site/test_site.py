import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from latentloop.editing import Direction
from latentloop.errors import UserError
from latentloop.web_site import WrittenSite, write_site
from latentloop.web_site.site import ASSETS

pytest.importorskip("onnx", reason="sites are written where onnx is installed")

from onnx import TensorProto, helper, numpy_helper

WORKER = b'const VERSION = "latentloop-site-version";'
NAMES = ("proposal", "refinement", "output", "embedder", "second_look", "generator")
GENERATOR = {"name": "toy", "resolution": 8, "num_ws": 2, "w_dim": 4, "z_dim": 3, "fingerprint": "f", "licence": "CC0"}
SMILE = Direction("smile", torch.tensor([1.0, 2, 3, 4]), (0, 1), 2, "f", "toy", about={"positive": "smiles"})


def write(bundle: Path, out: Path, page: Path) -> WrittenSite:
    return write_site(bundle, out, {"smile": SMILE}, page=page)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A built page in small."""
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<p>page</p>")
    (folder / "assets" / "index-1.js").write_text("one")
    (folder / "service_worker.js").write_bytes(WORKER)
    return folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
    for i, name in enumerate(NAMES):
        weight = numpy_helper.from_array(np.full(1000, i, np.float16), "w")
        node = helper.make_node("Identity", ["x"], ["y"])
        model = helper.make_model(helper.make_graph([node], name, [x], [y], [weight]))
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    (folder / "bundle.json").write_text(json.dumps({"generator": {**GENERATOR, "classes": 0}}))
    return folder


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_site_lists_every_file_with_its_checksum(page: Path, bundle: Path, tmp_path: Path) -> None:
    written = write(bundle, tmp_path / "site", page)
    files = files_in(tmp_path / "site")
    listed = json.loads(files["site.json"])["files"]
    assert {*listed, "site.json", "service_worker.js"} == {*files}
    assert {"index.html", "assets/index-1.js", "models/drawing.bin", "NOTICE.txt", "examples/male-81.jpg"} <= {*listed}
    for name, entry in listed.items():
        assert entry == {"bytes": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
    assert written.sizes == {name: len(content) for name, content in files.items()}


def test_a_site_says_what_its_networks_are(page: Path, bundle: Path, tmp_path: Path) -> None:
    site = json.loads((write(bundle, tmp_path / "site", page).folder / "site.json").read_text())
    assert site["generator"] == GENERATOR
    assert site["directions"] == [
        {"name": "smile", "positive": "smiles", "layers": [0, 1], "vector": "AACAPwAAAEAAAEBAAACAQA=="}
    ]


def test_another_content_is_another_version_of_the_service_worker(page: Path, bundle: Path, tmp_path: Path) -> None:
    first, again = (write(bundle, tmp_path / name, page) for name in ("a", "b"))
    assert first.version == again.version
    assert f'"{first.version}"' in (tmp_path / "a" / "service_worker.js").read_text()
    (page / "index.html").write_text("<p>another page</p>")
    assert write(bundle, tmp_path / "c", page).version != first.version


def test_a_new_site_takes_the_place_of_the_old_one(page: Path, bundle: Path, tmp_path: Path) -> None:
    write(bundle, tmp_path / "site", page)
    (page / "assets" / "index-1.js").rename(page / "assets" / "index-2.js")
    write(bundle, tmp_path / "site", page)
    scripts = [name for name in files_in(tmp_path / "site") if name.startswith("assets/")]
    assert scripts == ["assets/index-2.js"]


@pytest.mark.parametrize("name", ["thesis.txt", "models/mine.bin"])
def test_a_folder_that_holds_something_else_is_refused(page: Path, bundle: Path, tmp_path: Path, name: str) -> None:
    write(bundle, tmp_path / "site", page)
    (tmp_path / "site" / name).write_text("mine")
    before = files_in(tmp_path / "site")
    with pytest.raises(UserError, match=rf"holds {name}, which no site contains"):
        write(bundle, tmp_path / "site", page)
    assert files_in(tmp_path / "site") == before


def test_a_file_of_the_site_that_was_changed_stays(page: Path, bundle: Path, tmp_path: Path) -> None:
    write(bundle, tmp_path / "site", page)
    (tmp_path / "site" / "index.html").write_text("<p>mine</p>")
    with pytest.raises(UserError, match=r"holds index\.html, which no site contains"):
        write(bundle, tmp_path / "site", page)
    assert (tmp_path / "site" / "index.html").read_text() == "<p>mine</p>"


def test_nothing_is_written_through_a_link(page: Path, bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "models").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(UserError, match="holds models, which no site contains"):
        write(bundle, tmp_path / "site", page)
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("content", ["", "[]", '{"files": {"thesis.txt": 1}}'])
def test_what_is_not_our_list_vouches_for_nothing(page: Path, bundle: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "site.json").write_text(content)
    with pytest.raises(UserError, match=r"holds site\.json"):
        write(bundle, tmp_path / "site", page)


def test_nothing_is_written_if_a_network_is_missing(page: Path, bundle: Path, tmp_path: Path) -> None:
    (bundle / "second_look.onnx").unlink()
    with pytest.raises(UserError, match=r"second_look\.onnx: no such file"):
        write(bundle, tmp_path / "site", page)
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize("name", ["proposal", "refinement", "output"])
def test_the_shipped_face_detector_serves_every_generator(page: Path, bundle: Path, tmp_path: Path, name: str) -> None:
    (bundle / f"{name}.onnx").unlink()
    assert write(bundle, tmp_path / "site", page).sizes["models/detection.bin"] > 5000


def test_shipped_networks_serve_generators_of_their_latent_space(page: Path, bundle: Path, tmp_path: Path) -> None:
    before = write(bundle, tmp_path / "site", page).sizes
    for look in ("embedder", "second_look"):
        (bundle / f"{look}.onnx").unlink()
    shipped = json.loads((ASSETS / "bundle.json").read_text())["generator"]
    (bundle / "bundle.json").write_text(json.dumps({"generator": {**GENERATOR, "fingerprint": shipped["fingerprint"]}}))
    after = write(bundle, tmp_path / "site", page).sizes
    assert after["models/embedding.bin"] > 10**7
    assert after["models/drawing.bin"] > 10**6 > before["models/drawing.bin"]  # with the mapping network


def test_both_looks_are_of_one_network(page: Path, bundle: Path, tmp_path: Path) -> None:
    (bundle / "second_look.onnx").unlink()
    shipped = json.loads((ASSETS / "bundle.json").read_text())["generator"]
    (bundle / "bundle.json").write_text(json.dumps({"generator": {**GENERATOR, "fingerprint": shipped["fingerprint"]}}))
    with pytest.raises(UserError, match=r"second_look\.onnx"):
        write(bundle, tmp_path / "site", page)


def test_a_page_that_is_not_built_says_how_to_build_it(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError,
        match="the page is not built; run make web in a clone",
    ):
        write(bundle, tmp_path / "site", tmp_path / "none")


@pytest.mark.parametrize("content", ["{}", "[]", "no JSON", '{"generator": {"name": 1}}'])
def test_a_bundle_that_says_nothing_is_refused(page: Path, bundle: Path, tmp_path: Path, content: str) -> None:
    (bundle / "bundle.json").write_text(content)
    with pytest.raises(UserError, match=r"bundle\.json: not the description of a bundle"):
        write(bundle, tmp_path / "site", page)


def test_writing_sites_imports_no_pytorch() -> None:
    code = "import sys, latentloop.web_site; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

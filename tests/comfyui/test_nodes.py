"""The nodes for ComfyUI, with a stand-in of its interface, in inference mode, as ComfyUI runs them."""

import asyncio
import importlib.util
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

import latentloop as ll
from latentloop.cli import main
from latentloop.generators.registry import list_generators
from latentloop.images import read_image
from small_generators import SmallGenerator

FOLDER = Path(__file__).parents[2] / "comfyui"
STUB = Path(__file__).parent / "stub"
WORKFLOWS = sorted((FOLDER / "example_workflows").glob("*.json"))
COMFYS_OWN = {"LoadImage": ["IMAGE", "MASK"], "SaveImage": [], "PreviewImage": []}
"""Nodes of ComfyUI in the example, with what they give."""


@pytest.fixture(scope="module")
def pack() -> Iterator[ModuleType]:
    """The folder, imported as ComfyUI imports it: as a package, by its path."""
    sys.path.insert(0, str(STUB))
    try:
        spec = importlib.util.spec_from_file_location("nodes_of_latentloop", FOLDER / "__init__.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(STUB))
        for name in [
            name for name in sys.modules if name.split(".")[0] in ("comfy", "comfy_api", "nodes_of_latentloop")
        ]:
            del sys.modules[name]


@pytest.fixture
def nodes(pack: ModuleType) -> dict[str, Any]:
    """The nodes by id."""
    extension = asyncio.run(pack.comfy_entrypoint())
    return {one.define_schema().node_id: one for one in asyncio.run(extension.get_node_list())}


@pytest.fixture
def shown() -> list[tuple[float, float]]:
    """What the progress bar showed."""
    calls: list[tuple[float, float]] = sys.modules["comfy_api.latest"].ComfyAPISync.execution.shown
    calls.clear()
    return calls


@pytest.fixture
def cats(small_generator: SmallGenerator, tmp_path: Path) -> tuple[str, str]:
    """A small generator, and a direction of its codes."""
    path, out = small_generator(64), tmp_path / "ways.safetensors"
    assert (
        main(["directions", "find", "--generator", str(path), "--method", "sefa", "--count", "1", "--out", str(out)])
        == 0
    )
    return str(path), f"{out}:sefa0"


def comfy(*paths: Path) -> Tensor:
    """Photos as ComfyUI's Load Image gives them, (B, H, W, 3) in [0, 1]."""
    return ((torch.cat([read_image(path) for path in paths]) + 1) / 2).movedim(1, -1).contiguous()


def run(node: Any, *arguments: object, **values: object) -> Any:  # noqa: ANN401 - of any type
    """Run a node as ComfyUI does: its inputs by id, widgets of default values unless others are given."""
    schema = node.define_schema()
    inputs = {one.id: one.default for one in schema.inputs}
    inputs |= dict(zip(inputs, arguments, strict=False)) | values
    with torch.inference_mode():
        result = node.execute(**inputs).args
    assert len(result) == len(schema.outputs)
    return result


def test_there_are_four_nodes_with_sound_schemas(nodes: dict[str, Any]) -> None:
    names = ["LoadStyleGAN", "EmbedPhoto", "EditCode", "PasteBack"]
    assert list(nodes) == [f"Latentloop{name}" for name in names]
    for node in nodes.values():
        schema = node.define_schema()
        schema.validate()
        assert schema.description
        assert list(inspect.signature(node.execute).parameters) == [one.id for one in schema.inputs]


def test_the_default_generator_is_a_bundled_one(nodes: dict[str, Any]) -> None:
    generator = nodes["LatentloopLoadStyleGAN"].define_schema().inputs[0]
    assert generator.default in {info.name for info in list_generators()}


def test_the_chain_does_what_a_model_does(
    nodes: dict[str, Any], cats: tuple[str, str], portrait: Path, shown: list[tuple[float, float]]
) -> None:
    load, embed, edit, paste = nodes.values()
    (path, direction), image = cats, comfy(portrait)
    (model,) = run(load, path, device="cpu")
    code, reconstruction, aligned = run(embed, model, image, steps=3)
    edited, face = run(edit, model, code, f"{direction}=1")
    twice, _ = run(edit, model, edited, f"{direction}=1.5")
    (photo,) = run(paste, model, twice, image)

    alone = ll.load(path, device="cpu")
    found = alone.invert(image[0].movedim(-1, 0) * 2 - 1, steps=3)
    for ours, theirs in (
        (reconstruction, found.image),
        (aligned, found.aligned),
        (face, alone.edit(found, {direction: 1.0}).face),
        (photo, alone.edit(found, {direction: 2.5}).photo),
    ):
        expected = ((theirs.tensor[0] + 1) / 2).clamp(0, 1).movedim(0, -1)
        torch.testing.assert_close(ours[0], expected, rtol=0, atol=1e-6)
    assert photo.shape == image.shape
    assert not torch.equal(photo, image)
    progress = [value for value, _ in shown]
    assert progress == sorted(progress)
    assert progress[-1] == 3
    assert len(progress) > 3


def test_cancel_ends_the_search_at_once(
    nodes: dict[str, Any], cats: tuple[str, str], portrait: Path, shown: list[tuple[float, float]]
) -> None:
    load, embed, *_ = nodes.values()
    (model,) = run(load, cats[0], device="cpu")
    comfy_ui: Any = sys.modules["comfy.model_management"]

    class Cancelled(list[tuple[float, float]]):
        """A progress bar at whose second step the user cancels."""

        def append(self, value: tuple[float, float]) -> None:
            super().append(value)
            comfy_ui.interrupted = len(self) == 2

    execution = sys.modules["comfy_api.latest"].Execution
    try:
        execution.shown = bar = Cancelled()
        with pytest.raises(comfy_ui.InterruptProcessingException):
            run(embed, model, comfy(portrait), steps=20)
    finally:
        execution.shown, comfy_ui.interrupted = shown, False
    assert len(bar) == 2


def test_the_way_to_comfyui_is_built_once_a_batch(pack: ModuleType) -> None:
    api = sys.modules["comfy_api.latest"].ComfyAPISync
    before = api.built
    progress = pack.nodes.Progress(1, 3)
    for step in range(3):
        progress.on_step(0)(step, torch.zeros(1))
    progress.finish()
    assert api.built == before + 1


def test_a_batch_gives_what_single_photos_give(nodes: dict[str, Any], cats: tuple[str, str], portrait: Path) -> None:
    load, embed, edit, paste = nodes.values()
    image = comfy(portrait, portrait)
    image[1] = image[1].flip(1)  # another photo: the mirrored one
    (model,) = run(load, cats[0], device="cpu")

    def pasted(batch: Tensor) -> Tensor:
        code = run(embed, model, batch, "instant", steps=1)[0]
        edited = run(edit, model, code, f"{cats[1]}=2")[0]
        result: Tensor = run(paste, model, edited, batch, "face")[0]
        return result

    together = pasted(image)
    torch.testing.assert_close(together, torch.cat([pasted(image[:1]), pasted(image[1:])]), rtol=0, atol=1e-6)
    assert not torch.equal(together[0], together[1])


def test_a_model_is_loaded_once_until_its_file_changes(nodes: dict[str, Any], small_generator: SmallGenerator) -> None:
    load, path = nodes["LatentloopLoadStyleGAN"], small_generator()
    arguments = {"generator": str(path), "embedder": "", "device": "cpu"}
    first, before = run(load, **arguments)[0], load.fingerprint_inputs(**arguments)
    assert run(load, **arguments)[0] is first
    assert load.fingerprint_inputs(**arguments) == before
    small_generator(64, "larger").replace(path)
    assert load.fingerprint_inputs(**arguments) != before
    assert run(load, **arguments)[0].components.generator.resolution == 64


def test_transparency_is_left_out(pack: ModuleType) -> None:
    image = torch.rand(2, 4, 5, 4)
    photos = pack.nodes.from_comfy(image)
    torch.testing.assert_close(pack.nodes.to_comfy(photos), image[..., :3])


def test_errors_are_sentences(nodes: dict[str, Any], cats: tuple[str, str], portrait: Path) -> None:
    load, embed, edit, paste = nodes.values()
    with pytest.raises(ll.UserError, match="nothing: neither a file nor one of the bundled generators"):
        run(load, "nothing", device="cpu")
    (model,) = run(load, cats[0], device="cpu")
    with pytest.raises(ll.UserError, match="no face found"):
        run(embed, model, torch.zeros(1, 64, 64, 3))
    code, *_ = run(embed, model, comfy(portrait), steps=0)
    with pytest.raises(ll.UserError, match="the code is not edited: put Edit Code between"):
        run(paste, model, code, comfy(portrait))
    with pytest.raises(ll.UserError, match="Edit Code needs at least one direction"):
        run(edit, model, code, " ")
    with pytest.raises(ValueError, match=r"set takes NAME=NUMBER, such as smile=1.5, got smile"):
        run(edit, model, code, "smile")
    edited, _ = run(edit, model, code, f"{cats[1]}=1")
    with pytest.raises(ll.UserError, match="the code is of 1 photos, the image has 2"):
        run(paste, model, edited, comfy(portrait, portrait))
    with pytest.raises(ValueError, match="photo must have"):
        run(paste, model, edited, torch.zeros(1, 64, 64, 3))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_an_example_workflow_fits_the_nodes(nodes: dict[str, Any], path: Path) -> None:
    workflow = json.loads(path.read_text(encoding="utf-8"))
    by_id = {node["id"]: node for node in workflow["nodes"]}
    assert set(nodes) <= {node["type"] for node in by_id.values()}
    for node in by_id.values():
        if node["type"] in COMFYS_OWN:
            continue
        schema = nodes[node["type"]].define_schema()
        sockets = [(one.id, one.io_type) for one in schema.inputs if one.default is None]
        assert [(one["name"], one["type"]) for one in node["inputs"]] == sockets
        assert [one["type"] for one in node["outputs"]] == [one.io_type for one in schema.outputs]
        widgets = [one for one in schema.inputs if one.default is not None]
        for widget, value in zip(widgets, node["widgets_values"], strict=True):
            widget.check(value)
    for link, source, output, target, place, kind in workflow["links"]:
        assert by_id[target]["inputs"][place]["link"] == link
        assert link in by_id[source]["outputs"][output]["links"]
        assert by_id[source]["outputs"][output]["type"] == by_id[target]["inputs"][place]["type"] == kind
    assert workflow["last_node_id"] == max(by_id)
    assert workflow["last_link_id"] == max(link[0] for link in workflow["links"])


def test_there_is_an_example_workflow() -> None:
    assert WORKFLOWS


def test_the_metadata_is_what_the_registry_takes() -> None:
    about = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))
    project = about["project"]
    assert re.fullmatch(r"[a-z](?:[a-z0-9]|[-_.](?![-_.])){1,98}", project["name"])
    assert "comfyui" not in project["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    package = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == package["version"]
    assert project["dependencies"] == [f"latentloop[hub]>={package['version']}"]
    assert (FOLDER / project["license"]["file"]).read_bytes() == (FOLDER.parent / "LICENSE").read_bytes()
    assert (FOLDER / "requirements.txt").read_text().split() == project["dependencies"]
    assert about["tool"]["comfy"]["DisplayName"]

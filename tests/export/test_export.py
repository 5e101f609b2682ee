"""The job: what it writes, how weights are stored, what it refuses."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import ModelProto, TensorProto, numpy_helper
from safetensors.numpy import load
from torch import Tensor

from latentloop.errors import UserError
from latentloop.export import ExportOptions, checking, placement, set_up_export
from latentloop.export.graph import export_graph
from latentloop.export.modules import generator_part
from latentloop.export.run import is_our_graph
from latentloop.generators import load_generator
from latentloop.generators.stylegan2 import Shape as Shape2
from random_networks import Network, random_codes, random_network
from stylegan2_tensors import nvidia, random_stylegan2

SmallGenerator = Callable[..., Path]
Run = Callable[..., tuple[int, list[str], list[str]]]
Traced = tuple[Network, ModelProto]


def drawn_by(folder: Path, w_plus: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(folder / "generator.onnx")
    (image,) = session.run(None, {"w_plus": w_plus.numpy()})
    return torch.from_numpy(np.asarray(image))


def codes(generator: Path, count: int = 3) -> Tensor:
    small = load_generator(generator)
    randomness = torch.Generator().manual_seed(5)
    return small.latent_avg + torch.randn(count, small.num_ws, small.w_dim, generator=randomness)


def exported(generator: Path, out: Path, **options: object) -> Path:
    job = set_up_export(["generator", "mapping"], out, ExportOptions(generator=str(generator), **options))  # type: ignore[arg-type]
    assert [file.path.name for file in job.run()] == ["generator.onnx", "mapping.onnx"]
    return out


def test_an_export_says_what_it_is(small_generator: SmallGenerator, tmp_path: Path) -> None:
    out = exported(small_generator(), tmp_path / "onnx")
    small = load_generator(small_generator())
    said = {one.key: one.value for one in onnx.load(out / "generator.onnx").metadata_props}
    assert (said["fingerprint"], said["part"], said["num_ws"]) == (small.fingerprint, "generator", "6")
    assert said["licence"] == "that of the checkpoint from which it was exported"
    assert torch.allclose(torch.tensor(json.loads(said["latent_avg"])), small.latent_avg)
    bundle = json.loads((out / "bundle.json").read_text())
    sizes = {name: one["bytes"] for name, one in bundle["files"].items()}
    assert sizes == {name: (out / name).stat().st_size for name in ("generator.onnx", "mapping.onnx")}


@pytest.fixture(scope="module")
def traced() -> Traced:
    """A random generator and its graph, which takes seconds to make; copy it before it is changed."""
    generator = random_network("mobilestylegan", double=False)
    return generator, export_graph(generator_part(generator))


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_weights_may_be_stored_in_half_the_bits_and_in_one_file(
    half: bool, shared: bool, traced: Traced, tmp_path: Path
) -> None:
    generator, model = traced[0], ModelProto.FromString(traced[1].SerializeToString())
    if half:
        placement.halve(model)
    if shared:
        (tmp_path / "weights.safetensors").write_bytes(placement.share({"generator": model}))
        assert not any(one.raw_data and prod(one.dims) > placement.SMALL for one in model.graph.initializer)
    (tmp_path / "generator.onnx").write_bytes(model.SerializeToString())
    w_plus = random_codes(generator, 3)
    difference = float((drawn_by(tmp_path, w_plus) - generator.synthesis(w_plus)).abs().max())
    low, high = (1e-4, 0.03) if half else (0, 1e-5)
    assert low <= difference < high


def test_what_two_graphs_share_is_stored_once(traced: Traced) -> None:
    one, two = (ModelProto.FromString(traced[1].SerializeToString()) for _ in range(2))
    alone = len(load(placement.share({"one": ModelProto.FromString(one.SerializeToString())})))
    assert len(load(placement.share({"one": one, "two": two}))) == alone
    assert one.graph.initializer == two.graph.initializer


def test_numbers_beyond_float16_stay_in_float32(traced: Traced) -> None:
    model = ModelProto.FromString(traced[1].SerializeToString())
    large = next(one for one in model.graph.initializer if prod(one.dims) > placement.SMALL)
    large.CopyFrom(numpy_helper.from_array(1e6 * numpy_helper.to_array(large), large.name))
    placement.halve(model)
    assert large.data_type == TensorProto.FLOAT
    assert sum(one.data_type == TensorProto.FLOAT16 for one in model.graph.initializer) > 3


def test_a_stylegan2_as_nvidia_writes_it_draws_equal_images(write_nvidia: Callable[..., Path], tmp_path: Path) -> None:
    generator = random_stylegan2(Shape2(mapping=(8, 8, 8), channels=(8, 6, 4)))
    file = write_nvidia(nvidia(generator), {})
    out = exported(file, tmp_path / "onnx")
    w_plus = codes(file)
    torch.testing.assert_close(drawn_by(out, w_plus), generator.synthesis(w_plus), atol=1e-4, rtol=1e-4)


def test_a_graph_that_differs_is_not_written(
    small_generator: SmallGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = checking.run_graph
    monkeypatch.setattr(checking, "run_graph", lambda *args: [one + 0.001 for one in real(*args)])
    job = set_up_export(["generator"], tmp_path / "onnx", ExportOptions(generator=str(small_generator())))
    with pytest.raises(UserError, match=r"differs from PyTorch by 0\.001; nothing is written"):
        list(job.run())
    assert not list((tmp_path / "onnx").iterdir())


def test_a_network_that_is_not_exported_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentloop.export.run.load_encoder", lambda *_: pytest.fail("loaded"))
    job = set_up_export(["mapping"], tmp_path / "onnx", ExportOptions())
    assert [part.name for part in job.parts] == ["mapping"]


def test_numbers_that_are_none_are_a_difference() -> None:
    with np.errstate(all="ignore"):
        assert np.isnan(checking.difference_of([np.array([np.nan, 0])], [np.array([0.0, 0])]))


def test_the_difference_that_is_told_is_that_of_the_file(small_generator: SmallGenerator, tmp_path: Path) -> None:
    generator = small_generator()
    module = load_generator(generator)
    for parameter in module.parameters():  # type: ignore[attr-defined]
        parameter.data *= 1.0003  # no longer numbers of float16
    job = set_up_export(["generator"], tmp_path / "onnx", ExportOptions(generator=str(generator), half=True))
    part = replace(job.parts[0], module=generator_part(module).module)
    (file,) = replace(job, parts=[part]).run()
    w_plus = part.inputs["w_plus"]
    found = float((drawn_by(tmp_path / "onnx", w_plus) - module.synthesis(w_plus)).abs().max())
    assert file.difference > 1e-5
    assert file.difference == pytest.approx(found, rel=0.2)


@pytest.mark.parametrize("content", [b"notes on latentloop", b"\x08\x0a\x12\x07somebody:\x0alatentloop"])
def test_another_projects_graph_is_not_ours(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(content)
    assert not is_our_graph(tmp_path / "x.onnx")


@pytest.mark.parametrize("name", ["generator.onnx", "bundle.json", "weights.safetensors"])
def test_files_of_others_stay(name: str, small_generator: SmallGenerator, tmp_path: Path, run: Run) -> None:
    generator = small_generator()
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / name).write_text("mine")
    args = ["export", "generator", "--generator", str(generator), "--out", str(tmp_path / "onnx"), "--share"]
    code, _, errors = run(*args)
    assert code == 2
    assert errors == [
        f"latentloop: the result would overwrite {tmp_path / 'onnx' / name}; choose another folder; see --out"
    ]
    assert (tmp_path / "onnx" / name).read_text() == "mine"


def test_the_command_names_each_file_and_does_it_again(
    small_generator: SmallGenerator, tmp_path: Path, run: Run
) -> None:
    args = ["export", "mapping", "--generator", str(small_generator()), "--out", str(tmp_path / "onnx")]
    for _ in range(2):
        code, lines, errors = run(*args)
        assert (code, errors) == (0, [])
        (line,) = lines
        assert line.startswith(f"{tmp_path / 'onnx' / 'mapping.onnx'}: 0.0 MiB, differs from PyTorch by ")


def test_a_generator_without_a_network_has_none_to_export(
    small_generator: SmallGenerator, tmp_path: Path, run: Run
) -> None:
    code, _, errors = run("export", "embedder", "--generator", str(small_generator()), "--out", str(tmp_path / "x"))
    assert (code, errors) == (
        2,
        ["latentloop: no embedding network is bundled for small; make one: latentloop train; see --embedder"],
    )
    assert not (tmp_path / "x").exists()


def test_export_says_what_to_install(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    code, _, errors = run("export", "--out", str(tmp_path / "x"))
    assert (code, errors) == (2, ["latentloop: export needs ONNX and its runtime: pip install 'latentloop[onnx]'"])

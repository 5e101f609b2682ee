"""What a run's stamp says, and that no option is forgotten in it."""

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from latentloop.errors import UserError
from latentloop.features.lpips import load_lpips
from latentloop.files import sha256_of
from latentloop.inversion.metric_job import make_metric
from latentloop.inversion.metric_options import MetricOptions
from latentloop.optim.muon import Muon
from latentloop.options import flat_fields, with_changes
from latentloop.photos.find import find_photos
from latentloop.photos.sources import PhotoSource
from latentloop.stamps import STAMPED_AS
from latentloop.training.best_codes import NoCache
from latentloop.training.distill_setup import stamp_of_distilling
from latentloop.training.machine import Machine
from latentloop.training.options import DistillOptions, TrainOptions
from latentloop.training.pending import PendingCodes
from latentloop.training.photos import PhotoSet
from latentloop.training.processes import Alone
from latentloop.training.setup import _look_every, choose_photos, set_up_training, stamp_of_training
from small_generators import SmallGenerator, SmallPhotos

STAMP = """
{"steps": 2, "batch": 4, "synthetic": 0.5, "repeats": 1, "mirror": false, "spoil": true, "optimizer": "muon",
"lr": 0.002, "warm_up": 100, "clip": 1.0, "average": 0.999, "resolution": 256, "teacher_steps": 2,
"teacher_optimizer": "muon", "teacher_lr": 0.04, "cache": true, "good_loss": 0.0, "good_steps": 2, "start_from": "best",
"image_target": "teacher", "lambda_w": 1.0, "lambda_img": 1.0, "lambda_per": 0.8, "lambda_id": 0.0, "lambda_mse": 1.0,
"lambda_lpips": 0.8, "lpips_net": "alex", "generator_sha256": "GENERATOR", "quick_sha256": null, "preset": "small",
"identity": "none", "head": "tree", "data": "DATA", "validation": 4, "seed": 0, "precision": "float32", "device": "cpu"}
"""
"""The settings in a checkpoint that release 0.1.0 wrote, but for two checksums."""
DISTILL_STAMP = {"teacher_sha256", "resolution", "seed", "start", "photos", "name", "device", "compile"}
"""Entries in a checkpoint of release 0.1.0 beside the fields of `DistillConfig`."""
OTHERS = {
    "which": "g",
    "preset": "paper",
    "identity": "none",
    "head": "dense",
    "optimizer": "adam",
    "teacher_optimizer": "adam",
    "code_distance": "metric",
    "start_from": "average",
    "image_target": "photo",
    "lpips_net": "squeeze",
    "identity_layers": "all",
    "device": "cuda",
    "precision": "bfloat16",
    "photos_in": "disk",
    "weights": ("0=0.5",),
    "minutes": 5.0,
    "batch": 2,
    "pool": 512,
}
"""Another value for each option that takes a name, or that has to go together with others."""


def stamp(options: TrainOptions) -> dict[str, Any]:
    """A run's stamp on a machine where "auto" is the CPU and float32."""
    device = torch.device("cpu" if options.device == "auto" else options.device)
    dtype = torch.bfloat16 if options.precision == "bfloat16" else torch.float32
    return stamp_of_training(options, choose_photos(options, 32), Machine(device, dtype, Alone()))


def distill_stamp(options: DistillOptions) -> dict[str, Any]:
    photos = PhotoSet([PhotoSource(path) for path in find_photos(options.photos)], 32) if options.photos else None
    return stamp_of_distilling(options, photos, torch.device("cpu" if options.device == "auto" else options.device))


def another(name: str, value: object, files: dict[str, object]) -> object:
    """A value that an option may have as well."""
    if name in files or name in OTHERS:
        return files.get(name, OTHERS.get(name))
    if isinstance(value, bool):
        return not value
    return value / 2 if isinstance(value, float) and value else 2 * value + 2  # type: ignore[operator]


@pytest.fixture
def files(small_generator: SmallGenerator, small_photos: SmallPhotos) -> dict[str, object]:
    """Another file for each option that takes one."""
    one, other = small_generator(), str(small_generator(64, "other"))
    faces, held_out = (str(small_photos(one, 2, folder)) for folder in ("faces", "held-out"))
    paths = {"generator": other, "quick": other, "start": other, "codes": other, "name": "other", "out": Path("other")}
    return {**paths, "data": (faces,), "validation": (held_out,), "photos": (faces,)}


@pytest.mark.parametrize("field", [field.name for field, _ in flat_fields(TrainOptions())])
def test_every_option_of_training_counts_or_is_declared_neutral(
    small_generator: SmallGenerator, files: dict[str, object], field: str
) -> None:
    options = TrainOptions(generator=str(small_generator()))
    if field in ("jitter", "relight"):
        options = with_changes(options, {"cache": False})
    value, metadata = {one.name: (value, one.metadata) for one, value in flat_fields(options)}[field]
    changed = with_changes(options, {field: another(field, value, files)})
    assert changed != options
    assert (stamp(changed) == stamp(options)) == (metadata.get(STAMPED_AS) == ())


@pytest.mark.parametrize("field", [field.name for field, _ in flat_fields(DistillOptions())])
def test_every_option_of_distilling_counts_or_is_declared_neutral(
    small_generator: SmallGenerator, files: dict[str, object], field: str
) -> None:
    options = DistillOptions(generator=str(small_generator()))
    value, metadata = {one.name: (value, one.metadata) for one, value in flat_fields(options)}[field]
    changed = with_changes(options, {field: another(field, value, files)})
    assert changed != options
    assert (distill_stamp(changed) == distill_stamp(options)) == (metadata.get(STAMPED_AS) == ())


def test_only_these_options_are_neutral() -> None:
    neutral = [
        {field.name for field in fields(options) if field.metadata.get(STAMPED_AS) == ()}
        for options in (TrainOptions, DistillOptions)
    ]
    assert neutral == [{"photos_in", "out", "start", "codes", "save_every", "keep"}, {"out"}]


def test_options_reach_what_they_are_about(
    small_generator: SmallGenerator, small_photos: SmallPhotos, tmp_path: Path
) -> None:
    """What each of them does there is tested where it is done."""
    generator = small_generator()
    common = {"generator": str(generator), "data": (str(small_photos(generator, 2)),), "validation_images": 1}
    plain = with_changes(TrainOptions(), {**common, "identity": "none", "lambda_lpips": 0.0, "out": tmp_path / "plain"})
    names = {"head": "dense", "optimizer": "adam", "teacher_optimizer": "adam", "image_target": "photo"}
    numbers = {"teacher_steps": 3, "lambda_id": 1.0, "lambda_mse": 0.0, "cache": False, "seed": 5, "save_every": 7}
    other = with_changes(TrainOptions(), {**common, **names, **numbers, "out": tmp_path / "other"})
    image, target = torch.zeros(1, 3, 32, 32), torch.full((1, 3, 32, 32), 0.5)
    for options, optimizer, cache, loss in (
        (plain, Muon, PendingCodes, 0.25),
        (other, torch.optim.Adam, NoCache, 0.8 * load_lpips()(image, target).item()),
    ):
        job = set_up_training(options)
        both = job.trainer.collaboration
        assert (job.trainer.config, both.config, job.trainer.seed) == (
            options.config,
            options.collaboration,
            options.seed,
        )
        assert (job.trainer.embedder.config.identity, job.trainer.embedder.config.head) == (
            options.identity,
            options.head,
        )
        assert isinstance(job.trainer._learner._optimizer, optimizer)
        assert isinstance(both.cache, cache)
        assert both.loss(target)(image).item() == pytest.approx(loss)
        assert both.iterator(3).config.optimizer == options.collaboration.teacher_optimizer
        assert (both.similarity is None) == (options.collaboration.lambda_id == 0)
        assert job.saving.every == options.save_every


def test_an_accelerator_is_waited_for_seldom_where_nobody_looks_in_each_step() -> None:
    untaught = with_changes(TrainOptions(), {"teacher_steps": 0, "cache": False})
    assert _look_every(untaught, torch.device("cuda")) == 20
    assert _look_every(with_changes(untaught, {"save_every": 30}), torch.device("cuda")) == 10
    assert _look_every(untaught, torch.device("cpu")) == 1
    for change in ({"teacher_steps": 1}, {"cache": True}):
        assert _look_every(with_changes(untaught, change), torch.device("cuda")) == 1


def test_what_each_step_computes_is_compiled(
    small_generator: SmallGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what measures is not: it works on batches of other sizes."""
    compiled: list[object] = []

    def compile_nothing(function: object, **_: object) -> object:
        compiled.append(function)
        return function

    monkeypatch.setattr(torch, "compile", compile_nothing)
    changes = {"generator": str(small_generator()), "compile": True, "identity": "none", "validation_images": 1}
    job = set_up_training(with_changes(TrainOptions(), {**changes, "out": tmp_path / "out"}))
    assert len(compiled) == 3
    both, measured = job.trainer.collaboration, job.validation
    assert measured is not None
    assert both.perceptual in compiled
    assert type(both.generator) is not type(measured.collaboration.generator)


def test_checkpoints_of_earlier_releases_go_on(small_generator: SmallGenerator, small_photos: SmallPhotos) -> None:
    generator = small_generator()
    faces = small_photos(generator, 2)
    changes = {"generator": str(generator), "data": (str(faces),), "identity": "none", "save_every": 2, "steps": 2}
    sizes = {"preset": "small", "batch": 4, "teacher_steps": 2, "validation_images": 4}
    listed = "".join(f"{name} {(faces / name).stat().st_size}\n" for name in ("0.png", "1.png"))
    checksums = {"GENERATOR": sha256_of(generator), "DATA": hashlib.sha256(listed.encode()).hexdigest()}
    written = {name: checksums.get(value, value) for name, value in json.loads(STAMP).items()}
    assert stamp(with_changes(TrainOptions(), {**changes, **sizes})) == written


def test_checkpoints_of_earlier_distillations_go_on(small_generator: SmallGenerator) -> None:
    generator = small_generator()
    options = DistillOptions(generator=str(generator))
    found = distill_stamp(options)
    assert found.keys() == DISTILL_STAMP | vars(options.config).keys()
    assert found["teacher_sha256"] == sha256_of(generator)
    assert (found["start"], found["photos"], found["device"]) == (None, None, "cpu")


def test_the_metric_counts_where_it_is_taken(
    small_generator: SmallGenerator, small_photos: SmallPhotos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path / "cache"))
    generator = small_generator()
    common = {"generator": str(generator), "data": (str(small_photos(generator, 2)),), "validation_images": 1}
    options = with_changes(
        TrainOptions(), {**common, "identity": "none", "out": tmp_path / "run", "teacher_metric": True}
    )
    with pytest.raises(UserError, match=r"has no perceptual metric yet; latentloop metric .*\.safetensors makes one"):
        set_up_training(options)
    make_metric(generator, options=MetricOptions(samples=2))
    job = set_up_training(options)
    assert job.trainer.collaboration.metric is not None
    assert job.settings["metric_sha256"] == job.trainer.collaboration.metric.sha256

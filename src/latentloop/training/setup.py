"""Setup of training an embedding network from its options."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch

from latentloop.devices import quick_arithmetic, repeatable_arithmetic
from latentloop.encoders import Embedder
from latentloop.errors import UserError
from latentloop.features.lpips import SMALLEST, load_lpips
from latentloop.features.mobilefacenet import load_mobilefacenet
from latentloop.folder_lock import sole_use
from latentloop.generators import DrawnBy, Generator, load_generator, low_precision
from latentloop.generators.registry import weights_checksum
from latentloop.inversion import PerceptualMetric
from latentloop.inversion.metric_file import find_metric
from latentloop.losses import iterator_loss
from latentloop.metrics import identity_similarity
from latentloop.photos.find import find_training_photos
from latentloop.photos.sources import PhotoSource, places_of
from latentloop.stamps import stamp_of
from latentloop.training.best_codes import NoCache
from latentloop.training.cache_files import open_cache
from latentloop.training.collaboration import Collaboration
from latentloop.training.machine import Machine, find_machine
from latentloop.training.networks import first_embedder, quick_generator
from latentloop.training.options import TrainOptions
from latentloop.training.photo_store import make_store
from latentloop.training.photos import PhotoSet
from latentloop.training.processes import (
    failing_together,
    refuse_other_steps,
    refuse_unlike,
)
from latentloop.training.run import Saving, TrainJob, last_checkpoint, refuse_linked_run
from latentloop.training.settings_file import write_options
from latentloop.training.trainer import Trainer
from latentloop.training.validation import Validation, unseen_images
from latentloop.weights import ReadOnce

LOOK_EVERY = 20
"""Largest number of steps between two synchronizations with an accelerator."""


class Photos(NamedTuple):
    """Training and validation photos of a run."""

    learned: PhotoSet | None
    """Photos to learn from; None if only generated images are used."""
    held_out: PhotoSet | None
    """Photos to measure on; None for generated images."""


def set_up_training(options: TrainOptions, *, longer: bool = False) -> TrainJob:
    """Set up a run that resumes from the state in its folder, and write its options there.

    On CUDA in float32 the process computes repeatably from now on, which an exact resume requires.

    Args:
        options: Options of the run.
        longer: The folder's run may have other steps and minutes, and continues with these; from there on the step-size
            schedule is that of the longer run.

    Raises:
        UserError: A file is missing or wrong, the folder holds a run with other options or foreign files, or another
            process uses it.
    """
    machine = find_machine(options)
    (repeatable_arithmetic if machine.dtype == torch.float32 else quick_arithmetic)()
    first = machine.processes.index == 0
    with ExitStack() as held:
        with failing_together(machine.processes, UserError):
            if first:
                held.enter_context(sole_use(options.out))
                refuse_linked_run(options.out, own_codes=options.codes is None)
        with ReadOnce():
            job = _make_job(options, machine)
        # Compared before the first step: processes with different batches would wait for each other forever.
        refuse_unlike(machine.processes, job.settings)
        job.resume(longer=longer)
        refuse_other_steps(machine.processes, job.trainer.step, options.out)
        if first:
            write_options(options)
        job.held = held.pop_all()
    return job


def _make_job(options: TrainOptions, machine: Machine) -> TrainJob:
    generator = load_generator(options.generator, which=options.which, device=machine.device)
    embedder = first_embedder(options, generator, resumed=last_checkpoint(options.out) is not None)
    resolution = embedder.config.resolution
    photos = choose_photos(options, resolution)
    if photos.learned:
        _keep_photos(photos.learned, options, machine)
    drawing = low_precision(generator, machine.dtype)
    compared = low_precision(quick_generator(options.quick, generator), machine.dtype) if options.quick else drawing
    collaboration = make_collaboration(options, compared, embedder, machine)
    first = machine.processes.index == 0
    return TrainJob(
        trainer=_make_trainer(options, collaboration, photos.learned, drawing, machine),
        validation=_validation(options, collaboration, drawing, photos.held_out, resolution) if first else None,
        folder=options.out,
        settings=stamp_of_training(options, photos, machine, collaboration.metric),
        saving=Saving(options.save_every, options.keep),
    )


def _make_trainer(
    options: TrainOptions, collaboration: Collaboration, photos: PhotoSet | None, drawing: Generator, machine: Machine
) -> Trainer:
    return Trainer(
        _compiled(collaboration) if options.compile else collaboration,
        options.config,
        options.seed,
        photos,
        machine.processes,
        drawing,
        look_every=_look_every(options, machine.device),
    )


def choose_photos(options: TrainOptions, resolution: int) -> Photos:
    """Choose the photos of a run: those to measure on are excluded from those to learn from.

    Args:
        options: Options of the run.
        resolution: Input size of the network in pixels.

    Raises:
        UserError: There are none, or none is usable; raised before anything is written.
    """
    held_out = find_training_photos(options.validation)
    measured_on, found = set(places_of(held_out)), find_training_photos(options.data)
    # By place, not by name: the same file may be given in two spellings.
    sources = [one for one, place in zip(found, places_of(found), strict=True) if place not in measured_on]
    if options.data and not sources:
        problem = "all photos to learn from are among those to measure on: nothing is left"
        raise UserError(problem, arguments=("data", "validation"))
    count = min(options.validation_images, len(held_out))
    measured = [held_out[i * len(held_out) // count] for i in range(count)]  # evenly chosen
    return Photos(_usable(sources, resolution), _usable(measured, resolution))


def make_collaboration(
    options: TrainOptions, generator: Generator, embedder: Embedder, machine: Machine
) -> Collaboration:
    """Connect the embedding network and the iterator.

    Args:
        options: Options of the run.
        generator: Generator whose images are compared.
        embedder: Network that learns.
        machine: Device, precision and processes.

    Raises:
        UserError: Images cannot be compared at the requested resolution, or the cache holds other codes.
    """
    size = _compared_pixels(options, generator, embedder)
    if machine.device.type == "cuda":
        # The memory layout that cuDNN's fastest convolutions take.
        embedder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    lpips = load_lpips(options.loss.lpips_net, device=machine.device, dtype=machine.dtype)
    weighs_faces = options.collaboration.lambda_id > 0
    faces = partial(identity_similarity, embed=load_mobilefacenet(device=machine.device)) if weighs_faces else None
    return Collaboration(
        embedder=embedder,
        generator=generator,
        loss=iterator_loss(options.loss, lpips=lpips, device=machine.device, dtype=machine.dtype),
        perceptual=lpips,
        config=options.collaboration,
        cache=open_cache(options, generator, size, machine.precision, machine.processes)
        if options.collaboration.cache
        else NoCache(),
        mixed_precision=machine.processes.mixed_precision,
        similarity=faces,
        metric=_metric(generator, options.generator) if options.collaboration.takes_metric else None,
    )


def stamp_of_training(
    options: TrainOptions, photos: Photos, machine: Machine, metric: PerceptualMetric | None = None
) -> dict[str, Any]:
    """Return the stamp of a run: all settings that its course and its logged metrics depend on."""
    return stamp_of(
        options,
        generator_sha256=weights_checksum(options.generator, which=options.which),
        quick_sha256=weights_checksum(options.quick) if options.quick else None,
        data=photos.learned.digest() if photos.learned else None,
        validation=photos.held_out.digest() if photos.held_out else options.validation_images,
        precision=machine.precision,
        device=machine.device.type,
        **({"metric_sha256": metric.sha256} if metric else {}),
    )


def _metric(generator: Generator, name: str) -> PerceptualMetric:
    if metric := find_metric(generator):
        return metric
    raise UserError(f"{name}: has no perceptual metric yet; latentloop metric {name} makes one")


def _usable(sources: Sequence[PhotoSource], resolution: int) -> PhotoSet | None:
    if not sources:
        return None
    photos = PhotoSet(sources, resolution)
    photos.load([0])  # raises if no photo can be used, before anything is written
    return photos


def _look_every(options: TrainOptions, device: torch.device) -> int:
    """Return the number of steps between two synchronizations; it divides the interval between checkpoints."""
    # Iterator and cache read losses in each step. Otherwise the learner keeps the last state that it found finite, and
    # checkpoints must fall on such a check: hence a divisor of their interval.
    looks = device.type == "cpu" or options.collaboration.teacher_steps or options.collaboration.cache
    return 1 if looks else math.gcd(options.save_every, LOOK_EVERY)


def _compiled(collaboration: Collaboration) -> Collaboration:
    """Compile what every step computes, the network in place; copies of the network are not compiled."""
    collaboration.embedder.compile(dynamic=False)
    generator = collaboration.generator
    return replace(
        collaboration,
        generator=DrawnBy(generator, torch.compile(generator.synthesis, dynamic=False)),
        perceptual=torch.compile(collaboration.perceptual, dynamic=False),
    )


def _keep_photos(photos: PhotoSet, options: TrainOptions, machine: Machine) -> None:
    """Give photos a store, so that those that fit are read only once."""
    count, device = machine.processes.count, machine.device
    photos.store = make_store(options.photos_in, len(photos), photos.resolution, device, processes=count)
    photos.device = device


def _compared_pixels(options: TrainOptions, generator: Generator, embedder: Embedder) -> int:
    """Return the resolution at which images are compared."""
    size = min(options.collaboration.resolution, generator.resolution)
    if size > embedder.config.resolution or generator.resolution % size:
        finest = f"and at most the network's {embedder.config.resolution}"
        raise UserError(f"resolution must divide the generator's {generator.resolution} {finest}, got {size}")
    if size < SMALLEST and (options.loss.lambda_lpips or options.collaboration.lambda_per):
        raise UserError(f"LPIPS needs images of {SMALLEST} pixels or more, got {size}", arguments="resolution")
    return size


def _validation(
    options: TrainOptions,
    collaboration: Collaboration,
    drawing: Generator,
    held_out: PhotoSet | None,
    resolution: int,
) -> Validation:
    """Create the validation, at the network's resolution, with the generator that is trained for."""
    if held_out:
        images, skipped = held_out.load(range(len(held_out)))[0].to(drawing.device), held_out.skipped
    else:
        images, skipped = unseen_images(drawing, options.validation_images, resolution), {}
    full = replace(collaboration, generator=drawing, config=replace(options.collaboration, resolution=resolution))
    return Validation(images, full, batch=options.config.batch, skipped=skipped)

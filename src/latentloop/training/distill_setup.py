"""Setup of the distillation of a generator from its options."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import torch

from latentloop.devices import find_device, find_precision, repeatable_arithmetic
from latentloop.errors import UserError
from latentloop.features.lpips import load_lpips
from latentloop.folder_lock import sole_use
from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.registry import weights_checksum
from latentloop.photos.find import find_photos
from latentloop.photos.sources import PhotoSource
from latentloop.stamps import stamp_of
from latentloop.training.distill_run import DistillJob
from latentloop.training.distillation import Distillation
from latentloop.training.options import DistillOptions
from latentloop.training.photos import PhotoSet
from latentloop.training.student import begin_with, make_student
from latentloop.weights import ReadOnce


def set_up_distilling(options: DistillOptions) -> DistillJob:
    """Set up a distillation that resumes from the state in its folder.

    On CUDA the process computes repeatably from now on, which an exact resume requires.

    Raises:
        UserError: A file is missing or wrong, the folder holds a run with other options or foreign files, or another
            process uses it.
    """
    repeatable_arithmetic()
    device = find_device(options.device)
    with ReadOnce():
        teacher = load_generator(options.generator)
        if not isinstance(teacher, MobileStyleGAN):
            raise UserError(f"{options.generator}: only a MobileStyleGAN can be distilled")
        photos = _photos(options)
        student = _student(options, teacher)
        distillation = Distillation(
            teacher=teacher.to(device),
            student=student.to(device),
            lpips=load_lpips("alex", device=device, dtype=find_precision(options.config.precision, device)),
            config=options.config,
            seed=options.seed,
            photos=photos,
            compiled=options.compile,
        )
        stamp = stamp_of_distilling(options, photos, device)
    with ExitStack() as held:
        held.enter_context(sole_use(options.out))
        job = DistillJob(distillation, options.out, stamp)
        job.resume()
        return replace(job, held=held.pop_all())


def stamp_of_distilling(options: DistillOptions, photos: PhotoSet | None, device: torch.device) -> dict[str, Any]:
    """Return the stamp of a distillation: all settings that its course depends on."""
    return stamp_of(
        options,
        teacher_sha256=weights_checksum(options.generator),
        start=weights_checksum(options.start) if options.start else None,
        photos=photos.digest() if photos else None,
        device=device.type,
    )


def _photos(options: DistillOptions) -> PhotoSet | None:
    sources = [PhotoSource(path) for path in find_photos(options.photos)]
    if not sources:
        return None
    photos = PhotoSet(sources, options.resolution)
    photos.load([0])  # raises if no photo can be used, before anything is written
    return photos


def _student(options: DistillOptions, teacher: MobileStyleGAN) -> MobileStyleGAN:
    randomness = torch.Generator().manual_seed(options.seed)
    try:
        student = make_student(teacher, name=options.name, resolution=options.resolution, randomness=randomness)
    except ValueError as error:
        raise UserError(str(error)) from error
    if options.start:
        begin_with(student, load_generator(options.start))
    return student

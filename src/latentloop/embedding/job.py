"""Embedding photos: from files to codes, reconstructions and figures."""

import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentloop.defaults import MAX_PIXELS
from latentloop.embedding.result_folder import Figures, PhotoKey, ResultFolder, face_name
from latentloop.embedding.starts import Start, Wanted
from latentloop.errors import NotFiniteError, UserError
from latentloop.evaluation.measure import RESOLUTION, Evaluator
from latentloop.faces import AlignedFace, FaceDetector, align_faces, whole_square
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.images import read_image, resample, write_png
from latentloop.inversion.chain import IteratorChain
from latentloop.inversion.iterator import Inversion, OnStep
from latentloop.latents.code_file import Code, save_code


@dataclass(frozen=True)
class Embedded:
    """A photo's face that is in the folder."""

    photo: Path
    name: str
    figures: Figures
    one_pass: Figures | None
    """Of the network alone, where the iterator went on from there."""
    skipped: bool
    """It had been finished before."""


@dataclass(frozen=True)
class Failed:
    """A photo that could not be embedded."""

    photo: Path
    reason: str


Outcome = Embedded | Failed


@dataclass(frozen=True)
class _Task:
    """A face to embed."""

    photo: Path
    key: PhotoKey
    name: str
    face: AlignedFace
    faces: int | None
    """How many of the photo's faces are embedded; None if it is the one."""
    size: tuple[int, int]


@dataclass(frozen=True)
class _Drawn:
    """What a code draws."""

    image: Tensor
    """(1, 3, R, R), on the CPU."""
    figures: Figures


@dataclass(frozen=True)
class EmbedJob:
    """Embeds photos into a folder, and leaves alone what it finds finished there.

    Codes are optimized where the generator lies; faces are found and figures measured on the CPU, alike for all
    devices.
    """

    iterators: IteratorChain
    renderer: Generator
    """Draws the reconstructions; of the iterators' latent space."""
    evaluator: Evaluator
    detector: FaceDetector | None
    """None takes the photos as aligned."""
    start: Start
    show_start: bool
    """Keep what the start draws, too."""
    folder: ResultFolder
    settings: Mapping[str, Any]
    """All that the results depend on, beside what `start` tells; a result made with others is made again."""
    face: str = "largest"
    batch: int = 1
    force: bool = False
    max_pixels: int = MAX_PIXELS

    @property
    def generator(self) -> Generator:
        """The one that the code is found on."""
        return self.iterators.iterators[0].generator

    @property
    def device(self) -> torch.device:
        """Where codes are optimized."""
        return self.generator.device

    def run(self, photos: Sequence[Path], on_step: OnStep | None = None) -> Iterator[Outcome]:
        """Embed photos, and yield each outcome once it is safely on disk.

        Args:
            photos: Image files; one that cannot be used is reported and the others go on.
            on_step: As for `LatentIterator.refine`.

        Raises:
            UserError: The folder cannot be written to.
        """
        self.folder.make()
        sources = {photo.resolve() for photo in photos}
        tasks: list[_Task] = []
        for photo in photos:
            try:
                prepared = self._prepare(photo, sources)
            except (UserError, OSError) as error:
                yield Failed(photo, str(error) if str(photo) in str(error) else f"{photo}: {error}")
                continue
            for item in prepared:
                if isinstance(item, Embedded):
                    yield item
                    continue
                tasks.append(item)
                if len(tasks) == self.batch:
                    yield from self._embed(tasks, on_step)
                    tasks = []
        if tasks:
            yield from self._embed(tasks, on_step)

    def _prepare(self, photo: Path, sources: Set[Path]) -> list[Embedded] | list[_Task]:
        """The photo's results if they are finished, else its faces to embed; none may overwrite a source."""
        if not photo.is_file():
            raise UserError(f"{photo}: no such file")
        key = PhotoKey(photo.name, sha256_of(photo))
        several = self.face == "all"
        stem = self.folder.stem_for(key, all_faces=several)
        settings_of = partial(self._settings_of, photo=photo, sha256=key.sha256)
        finished = {} if self.force else self.folder.finished(key, stem, settings_of, all_faces=several)
        if finished:
            return [Embedded(photo, name, r.figures, r.one_pass, skipped=True) for name, r in finished.items()]
        image = read_image(photo, max_pixels=self.max_pixels)
        size = (image.shape[-1], image.shape[-2])
        faces = self._faces(image)
        names = [face_name(stem, i + 1) for i in range(len(faces))] if several else [stem]
        count = len(faces) if several else None
        for name in names:
            self.start.told(Wanted(name, photo, key.sha256))  # if there is none, say so now
            self._check_overwriting(photo, name, sources)
        return [_Task(photo, key, name, face, count, size) for name, face in zip(names, faces, strict=True)]

    def _settings_of(self, name: str, photo: Path, sha256: str) -> dict[str, Any]:
        return {**self.settings, **self.start.told(Wanted(name, photo, sha256))}

    def _check_overwriting(self, photo: Path, name: str, sources: Set[Path]) -> None:
        paths = self.folder.paths(name)
        theirs = self.folder.overwrites(name)
        for path in (paths.aligned, paths.reconstruction, paths.one_pass):
            theirs = path if path.resolve() in sources else theirs
        if theirs:
            raise UserError(f"{photo}: its results would overwrite {theirs}; choose another folder with --out")

    def _faces(self, image: Tensor) -> list[AlignedFace]:
        size = self.renderer.resolution
        if self.detector is None:
            return [whole_square(image, size)]
        return align_faces(image, self.detector, size, face=self.face)

    def _embed(self, tasks: Sequence[_Task], on_step: OnStep | None) -> Iterator[Outcome]:
        try:
            yield from self._embed_together(tasks, on_step)
        except NotFiniteError as error:
            if len(tasks) == 1:
                yield Failed(tasks[0].photo, f"{tasks[0].photo}: {error}; try a smaller --lr or another --start")
                return
            for task in tasks:  # so that one does not spoil the others
                yield from self._embed([task], on_step)
        except torch.OutOfMemoryError as error:
            raise UserError(f"not enough memory on {self.device}; try a smaller --batch") from error

    def _embed_together(self, tasks: Sequence[_Task], on_step: OnStep | None) -> Iterator[Embedded]:
        resolution = min(RESOLUTION, self.generator.resolution)
        target = torch.cat([resample(task.face.image, resolution) for task in tasks])
        on_device, begun = target.to(self.device), time.perf_counter()
        wanted = [Wanted(task.name, task.photo, task.key.sha256) for task in tasks]
        start = self.start.codes(on_device, wanted)
        passed = self._drawn(start, target, begun) if self.show_start else None
        begun = time.perf_counter() - (passed[0].figures.seconds * len(tasks) if passed else 0.0)
        inversion = self.iterators.refine(on_device, start, on_step)
        same = passed if not self.iterators.steps and torch.equal(inversion.w_plus, start) else None
        found = same or self._drawn(inversion.w_plus, target, begun)
        for i, task in enumerate(tasks):
            self._save(task, inversion, i, found[i], passed[i] if passed else None)
            first = passed[i].figures if passed else None
            yield Embedded(task.photo, task.name, found[i].figures, first, skipped=False)

    def _drawn(self, w_plus: Tensor, target: Tensor, begun: float) -> list[_Drawn]:
        """Draw codes (N, num_ws, w_dim), which were looked for since `begun`, and measure what comes out."""
        with torch.inference_mode():
            images = [self.renderer.synthesis(one[None]).cpu() for one in w_plus]
        seconds = (time.perf_counter() - begun) / len(w_plus)
        metrics = self.evaluator.measure(torch.cat([resample(image, RESOLUTION) for image in images]), target)
        return [_Drawn(image, Figures(figures, seconds)) for image, figures in zip(images, metrics, strict=True)]

    def _save(self, task: _Task, inversion: Inversion, i: int, found: _Drawn, passed: _Drawn | None) -> None:
        paths, generator = self.folder.paths(task.name), self.generator
        paths.code.unlink(missing_ok=True)  # an older code must not vouch for newer pictures
        write_png(paths.aligned, task.face.image)
        write_png(paths.reconstruction, found.image)
        if passed:
            write_png(paths.one_pass, passed.image)
        code = Code(
            w_plus=inversion.w_plus[i].cpu(),
            space=self.iterators.iterators[0].config.space,
            generator=generator.name,
            fingerprint=generator.fingerprint,
            quad=task.face.quad,
            original_size=task.size,
            losses=inversion.losses[:, i].cpu(),
            steps=int(inversion.steps[i]),
            details={
                "photo": {"file": task.key.file, "sha256": task.key.sha256, "faces": task.faces},
                "settings": self._settings_of(task.name, task.photo, task.key.sha256),
                **asdict(found.figures),
                "one_pass": asdict(passed.figures) if passed else None,
            },
        )
        save_code(paths.code, code)

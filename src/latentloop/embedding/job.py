"""Job that embeds photo files: reads, inverts, and writes codes, reconstructions and metrics into a folder."""

from collections.abc import Callable, Generator, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path

from torch import Tensor

from latentloop.allocator import return_freed_memory
from latentloop.defaults import MAX_PIXELS
from latentloop.embedding.inverter import InvertedFace, Inverter
from latentloop.embedding.outcomes import TOO_LARGE, Embedded, Failed, Outcome
from latentloop.embedding.record import record_code
from latentloop.embedding.result_folder import Finished, PhotoKey, Result, ResultFolder, face_name, mark_of
from latentloop.embedding.starts import FaceStart, Start, Wanted
from latentloop.embedding.thumbnails import write_thumbnail
from latentloop.errors import NotFiniteError, UserError, is_out_of_memory
from latentloop.faces import AlignedFace, FaceDetector, align_faces, already_aligned
from latentloop.files import refuse_no_file, sha256_of, write_together
from latentloop.images import png_bytes, read_image
from latentloop.inversion.iterator import OnStep
from latentloop.latents.code_file import code_bytes
from latentloop.ownership import MARK
from latentloop.stamps import Stamp, differences
from latentloop.threads import WriteBehind, read_ahead

BEHIND = 4
"""Number of batches whose files may wait to be written; it bounds the memory they occupy."""


@dataclass(frozen=True)
class _Task:
    """A face to embed."""

    photo: Path
    key: PhotoKey
    name: str
    face: AlignedFace
    faces: int | None
    """Number of faces embedded from the photo; None if only one was requested."""
    size: tuple[int, int]
    start: FaceStart
    stamp: Stamp


@dataclass(frozen=True)
class _Again:
    """A second file with the name and content of a photo that is being embedded."""

    photo: Path
    key: PhotoKey
    stem: str
    stamp_of: Callable[[str], Stamp]


_Item = Embedded | Failed | _Task | _Again


@dataclass(frozen=True)
class EmbedJob:
    """Embeds photos into a folder, and skips those whose results are finished.

    While the device computes, one thread reads the next photos and another writes the previous results.
    """

    inverter: Inverter
    detector: FaceDetector | None
    """Face detector; None if the photos are aligned already."""
    start: Start
    folder: ResultFolder
    stamp: Stamp
    """Settings that all results share, without the starting codes."""
    deciding: Set[str] | None = None
    """Stamp entries that a finished result must match to be used. If they differ, the result is left alone and the
    photo gets another name. None: all entries must match, and other results are replaced."""
    face: str = "largest"
    batch: int = 1
    pictures: bool = True
    """True writes pictures beside the codes, and ignores finished results without them."""
    thumbnails: bool = False
    """True also writes a thumbnail of each result."""
    force: bool = False
    max_pixels: int = MAX_PIXELS
    notice: Callable[[str], None] = lambda _: None
    """Called with a message if a result is recomputed because its stamp differs."""
    warn: Callable[[str], None] = lambda _: None
    """Called with a message for each result that is recomputed because its code is damaged."""
    on_done: Callable[[Outcome], None] = lambda _: None
    """Called with each outcome once its files are on disk, in the photos' order, in the writing thread."""
    done: list[Outcome] = field(default_factory=list)
    """Outcomes whose files are on disk."""
    _begun: set[PhotoKey] = field(default_factory=set)

    def run(self, photos: Sequence[Path], on_step: OnStep | None = None) -> Generator[Outcome]:
        """Embed photos, and yield each outcome once its files are on disk.

        Args:
            photos: Image files; one that cannot be used yields a `Failed`, and the others continue.
            on_step: As in `LatentIterator.refine`.

        Raises:
            UserError: The folder cannot be written to.
        """
        self.folder.make()
        sources = {photo.resolve() for photo in photos}
        with WriteBehind[Sequence[Outcome]](BEHIND * self.batch) as written:
            try:
                for items in self._batches(photos, sources):
                    self._embed(items, written, on_step)
                    yield from chain.from_iterable(written.done())
            except GeneratorExit:  # the caller has left: nobody receives further outcomes
                raise
            except BaseException:
                yield from chain.from_iterable(written.done(all_of_them=True))  # report what was finished before
                raise
            yield from chain.from_iterable(written.done(all_of_them=True))

    def _batches(self, photos: Sequence[Path], sources: Set[Path]) -> Iterator[list[_Item]]:
        """Yield batches of faces, in order with the outcomes of photos that are finished or unusable."""
        items: list[_Item] = []
        for photo, prepared in read_ahead(partial(self._prepare, sources=sources), photos, ahead=self.batch):
            try:
                news: Sequence[_Item] = prepared.result()
            except (UserError, OSError) as error:
                news = [Failed.of(photo, error)]
            except (MemoryError, RuntimeError) as error:  # a smaller photo may still fit
                if not is_out_of_memory(error):
                    raise
                news = [Failed.of(photo, TOO_LARGE)]
            for item in news:
                items.append(item)
                # Yielded when a batch is full, or at once if there is nothing to compute.
                if sum(isinstance(one, _Task) for one in items) in (0, self.batch):
                    yield items
                    items = []
        if items:
            yield items

    def _prepare(self, photo: Path, sources: Set[Path]) -> Sequence[_Item]:
        """Return a photo's finished results, otherwise its faces as tasks; no result may replace a source."""
        refuse_no_file(photo, what="an image")
        key, several = PhotoKey(photo.name, sha256_of(photo)), self.face == "all"
        stem = self.folder.stem_for(key, all_faces=several, accepts=self._accepts)

        @lru_cache  # a start's file is read once, though stamps, checks and the task ask for it
        def start_of(name: str) -> FaceStart:
            return self.start.of_face(Wanted(name, photo, key.sha256))

        def stamp_of(name: str) -> Stamp:
            return {**self.stamp, **start_of(name).stamp}

        # A duplicate waits until the first one is written, see `_found_again`.
        if key in self._begun:
            return [_Again(photo, key, stem, stamp_of)]
        finished = Finished()
        if not self.force:
            finished = self._finished(key, stem, stamp_of, one_pass=self.inverter.show_start)
        if finished.results:
            return [_skipped(photo, name, result) for name, result in finished.results.items()]
        if finished.outdated:
            self.notice(finished.outdated)
        self._begun.add(key)
        image = read_image(photo, max_pixels=self.max_pixels)
        size = (image.shape[-1], image.shape[-2])
        faces = self._faces(image)
        names = [face_name(stem, i + 1) for i in range(len(faces))] if several else [stem]
        count = len(faces) if several else None
        for name in names:
            start_of(name)  # a missing start fails the photo here, before any computation
            self._check_overwriting(photo, name, sources)
        if finished.damaged:
            self.warn(f"{self.folder.paths(finished.damaged).code}: damaged; it is recomputed")
        return [
            _Task(photo, key, name, face, count, size, start_of(name), stamp_of(name))
            for name, face in zip(names, faces, strict=True)
        ]

    def _finished(
        self, key: PhotoKey, stem: str, stamp_of: Callable[[str], Stamp], *, one_pass: bool = False
    ) -> Finished:
        """Find a photo's finished results; with `deciding` set, their pictures are not required."""
        several, alone = self.face == "all", self.deciding is not None
        pictures, one_pass = self.pictures and not alone, one_pass and not alone
        return self.folder.finished(
            key, stem, stamp_of, all_faces=several, pictures=pictures, one_pass=one_pass, deciding=self.deciding
        )

    def _accepts(self, result: Result) -> bool:
        """Tell whether a result of the same photo may be used or replaced; if not, the photo gets another name."""
        return self.deciding is None or not self.deciding & set(differences(result.settings, self.stamp))

    def _check_overwriting(self, photo: Path, name: str, sources: Set[Path]) -> None:
        paths = self.folder.paths(name)
        theirs = self.folder.overwrites(name, pictures=self.pictures)
        # Checked even without pictures: then an earlier result's pictures are deleted, and a source may be among them.
        for path in paths.pictures:
            theirs = path if path.resolve() in sources else theirs
        if theirs:
            raise UserError(f"{photo}: its results would overwrite {theirs}; choose another folder", arguments="out")

    def _faces(self, image: Tensor) -> list[AlignedFace]:
        size = self.inverter.renderer.resolution
        if self.detector is None:
            return [already_aligned(image, size)]
        return align_faces(image, self.detector, size, face=self.face)

    def _embed(self, items: Sequence[_Item], written: WriteBehind[Sequence[Outcome]], on_step: OnStep | None) -> None:
        """Embed the faces among the items together, and hand all outcomes to the writer in order."""
        tasks = [item for item in items if isinstance(item, _Task)]
        found = self._inverted(tasks, on_step)
        if isinstance(found, UserError):
            return_freed_memory()  # of the failed attempt, before the halves are tried
            if len(items) == 1:
                written.submit(self._record, [Failed.of(items[0].photo, found)])
                return
            middle = len(items) // 2  # halving isolates the face that fails, and needs less memory
            self._embed(items[:middle], written, on_step)
            self._embed(items[middle:], written, on_step)
            return
        inverted = iter(found)
        for item in items:
            if isinstance(item, _Task):
                written.submit(self._save, item, next(inverted))  # encoded and written while the device computes
            elif isinstance(item, _Again):
                written.submit(self._found_again, item)
            else:
                written.submit(self._record, [item])

    def _inverted(self, tasks: Sequence[_Task], on_step: OnStep | None) -> Sequence[InvertedFace] | UserError:
        """Invert faces together, or return the error that prevents it."""
        faces, starts = [task.face for task in tasks], [task.start for task in tasks]
        try:
            return self.inverter.invert(faces, lambda target: self.start.codes(target, starts), on_step)
        except NotFiniteError as error:
            return UserError(f"{error}; try a smaller step size or another start", arguments=("lr", "start"))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            problem = f"not enough memory on {self.inverter.generator.device} to find its code"
            return UserError(f"{problem}; free memory, or choose another", arguments=("device", "generator"))

    def _record(self, outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
        for outcome in outcomes:
            self.done.append(outcome)
            self.on_done(outcome)
        return outcomes

    def _found_again(self, item: _Again) -> Sequence[Outcome]:
        """Return the results of a duplicate photo, now that the first one's are written."""
        finished = self._finished(item.key, item.stem, item.stamp_of)
        if not finished.results:
            return self._record([Failed.of(item.photo, UserError("the same photo failed before"))])
        return self._record([_skipped(item.photo, name, result) for name, result in finished.results.items()])

    def _save(self, task: _Task, inverted: InvertedFace) -> Sequence[Outcome]:
        paths, first = self.folder.paths(task.name), inverted.one_pass
        # Pictures and code carry one mark: after a kill between two renames, a mismatch shows what is stale.
        mark = mark_of(task.name, task.key, task.stamp)
        pictures = {paths.aligned: task.face.image, paths.reconstruction: inverted.reconstruction.image}
        if first:
            pictures[paths.one_pass] = first.image
        photo = {"file": task.key.file, "sha256": task.key.sha256, "faces": task.faces}
        code = record_code(self.inverter, inverted, task.face, task.size, photo, task.stamp)
        files = {path: png_bytes(image, comment=mark) for path, image in pictures.items()} if self.pictures else {}
        # The code comes last: `write_together` names files in this order, and a code vouches for its pictures.
        write_together(files | {paths.code: code_bytes(replace(code, details={**code.details, MARK: mark}))})
        if not self.pictures:
            self.folder.delete_pictures(task.name)
        elif self.thumbnails:
            write_thumbnail(paths.thumbnail, [pictures[path] for path in paths.pictures if path in pictures], mark)
        return self._record([_done(task, inverted, pictures=self.pictures)])


def _done(task: _Task, inverted: InvertedFace, *, pictures: bool) -> Embedded:
    first = inverted.one_pass
    return Embedded(
        photo=task.photo,
        name=task.name,
        figures=inverted.reconstruction.figures,
        one_pass=first.figures if first else None,
        steps=max(len(inverted.losses) - 1, 0),
        skipped=False,
        refine_steps=task.stamp.get("refine_steps", 0),
        pictures=pictures,
    )


def _skipped(photo: Path, name: str, result: Result) -> Embedded:
    return Embedded(
        photo=photo,
        name=name,
        figures=result.figures,
        one_pass=result.one_pass,
        steps=result.steps,
        skipped=True,
        refine_steps=result.refine_steps,
        pictures=result.pictures,
    )

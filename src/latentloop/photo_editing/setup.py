"""Setup of photo editing: from arguments to subjects."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from latentloop.embedding import Components, Embedded, Failed, components_for, embed_files
from latentloop.embedding.result_folder import ResultFolder
from latentloop.errors import UserError
from latentloop.photo_editing.edit_name import ROUGH
from latentloop.photo_editing.listener import Listener
from latentloop.photo_editing.refined_subjects import with_refinements
from latentloop.photo_editing.subject_options import SubjectOptions
from latentloop.photo_editing.subjects import Subject, canonical, is_coded, subject_of_photo, subjects_of


@dataclass(frozen=True)
class SubjectFinder:
    """Finds the faces that arguments name, with their codes."""

    options: SubjectOptions
    components: Components
    listener: Listener = Listener()

    def subjects(self, arguments: Sequence[str]) -> Iterator[Subject | None]:
        """Yield the subjects of arguments, in order; None for one that fails, whose error the listener gets.

        Args:
            arguments: Photos, files with codes, and seeds, as `expand_arguments` returns them.
        """
        return self._subjects(arguments, lambda subject: with_refinements(subject, self.components))

    def _subjects(self, arguments: Sequence[str], made: Callable[[Subject], Subject]) -> Iterator[Subject | None]:
        names = self._embed([argument for argument in arguments if not is_coded(argument)])
        options, generator = self.options, self.components.generator
        for argument in arguments:
            try:
                if is_coded(argument):
                    photos, most = options.photos, options.faces.max_pixels
                    for subject in subjects_of(argument, generator, photos=photos, max_pixels=most):
                        yield made(subject)
                else:
                    results = names.get(canonical(argument))
                    yield made(self._of_photo(argument, results)) if results else None
            except UserError as error:
                self.listener.complain(error)
                yield None

    def all_subjects(self, arguments: Sequence[str]) -> list[Subject]:
        """Find all subjects, for jobs that combine them, without photos to paste into and without refined generators.

        Raises:
            UserError: A subject cannot be used.
        """
        drawn_alone = replace(self, options=replace(self.options, photos=None))
        found = list(drawn_alone._subjects(arguments, lambda subject: subject))
        subjects = [subject for subject in found if subject]
        if len(subjects) < len(found):
            raise UserError("nothing made: some of the pictures cannot be used")
        return subjects

    def for_each(self, arguments: Sequence[str], results: Callable[[Subject], Iterable[Path]]) -> bool:
        """Make results of each subject; returns whether all succeeded.

        Args:
            arguments: As for `subjects`.
            results: Makes a subject's results, and yields the path of each file once it is written.
        """
        complete = True
        for subject in self.subjects(arguments):
            try:
                if subject:
                    self._warn_if_alone(subject)
                for path in results(subject) if subject else ():
                    self.listener.result(path)
            except UserError as error:
                self.listener.complain(error)
                subject = None
            complete &= subject is not None
        return complete

    def _of_photo(self, photo: str, names: Sequence[str]) -> Subject:
        faces = self.options.faces
        folder = ResultFolder(self.options.folder)
        subject = subject_of_photo(Path(photo), names, folder, self.components.generator, max_pixels=faces.max_pixels)
        return replace(subject, origin=None) if faces.aligned else subject

    def _embed(self, photos: Sequence[str]) -> dict[str, list[str]]:
        """Compute missing codes of photos; returns the names of each photo's results, by its canonical path."""
        names: dict[str, list[str]] = {}
        if not photos:
            return names
        options, seen = self.options, set[Path]()
        run = embed_files(
            photos,
            options.folder,
            options.embedding(),
            components=self.components,
            deciding=options.deciding,
            with_report=False,
            warn=self.listener.warn,
            on_wait=self.listener.warn,
        )
        with self.listener.watch(run) as watcher, closing(run.outcomes(watcher.step)) as outcomes:
            for outcome in outcomes:
                seen.add(outcome.photo)
                if isinstance(outcome, Failed):
                    self.listener.complain(outcome.error)
                    continue
                watcher.done(outcome, len(seen))
                self._warn_if_rough(outcome)
                names.setdefault(canonical(str(outcome.photo)), []).append(outcome.name)
        return names

    def _warn_if_alone(self, subject: Subject) -> None:
        known = any("photo" in code.details for code in subject.codes)
        if subject.origin is None and known and not self.options.faces.aligned:
            text = f"{subject.name}: the face is drawn alone; name its photo to paste it back"
            self.listener.warn(UserError(text, arguments="photos"))

    def _warn_if_rough(self, outcome: Embedded) -> None:
        similarity = outcome.metrics["id"]
        if similarity < ROUGH and not self.options.faces.aligned:
            self.listener.warn(f"{outcome.name}: a rough code (ID {similarity:.2f}): edits may look wrong")


def find_subjects(options: SubjectOptions, listener: Listener | None = None) -> SubjectFinder:
    """Create a finder with the networks that the options choose.

    Raises:
        UserError: The device does not exist.
    """
    return SubjectFinder(options, components_for(options.embedding()), listener or Listener())

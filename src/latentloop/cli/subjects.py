"""Options of the commands that edit: whose codes, and how the faces get back into the photos."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from latentloop.cli.embed import Embed, check_face
from latentloop.cli.options import Common
from latentloop.defaults import GENERATOR, MAX_PIXELS, Precision
from latentloop.inversion.config import IteratorConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from latentloop.generators import Generator
    from latentloop.inversion import LatentIterator
    from latentloop.photo_editing.editor import Editor
    from latentloop.photo_editing.subjects import Subject

STEPS, LR = 50, 0.04
ROUGH = 0.6
"""Similarity of identity below which a code is another face than the photo's."""
EMBEDDED = "embedded"
"""Folder for the codes that are found, in that of the results."""


@dataclass(frozen=True)
class Found:
    """How the codes of photos are found."""

    generator: str = GENERATOR
    """A generator we ship, or a StyleGAN's file: ours, or .pkl, .pt or .pth as its project wrote it."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps ..."""
    embedder: str | None = None
    """The network that finds codes of photos; as in latentloop embed."""
    steps: int = STEPS
    """Of the iterator, after the network: more come closer to the photo. 0: the network's one pass alone. Where there
    is no network for the generator, from the mean code: take 200 then. Of a video they are taken in key frames, and
    what they change is carried over to the others."""
    lr: float = LR
    """Step size of the iterator; half of it from the network's code, as in latentloop embed. Smaller steps than there
    leave a code where edits still look right."""
    face: str = "largest"
    """Of several faces in a photo: largest, all, or a number (1 is the largest)."""
    aligned: bool = False
    """The photos are square and FFHQ-aligned already: skip face detection, and paste nothing back."""
    photos: Path | None = None
    """Of code files: the photo, or the folder with the photos, to paste the faces back into; unset: draw the faces
    alone."""
    precision: Precision = "auto"
    """Of the iterator's drawing."""
    max_pixels: int = MAX_PIXELS
    """Refuse photos of more pixels."""

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"steps must be 0 or more, got {self.steps}")
        check_face(self.face)
        if self.max_pixels < 1:
            raise ValueError(f"max_pixels must be 1 or more, got {self.max_pixels}")
        if not 0 < self.lr <= 100:
            raise ValueError(f"lr must be above 0 and at most 100, got {self.lr}")

    def load_generator(self) -> "Generator":
        """The generator, on its device."""
        from latentloop.devices import find_device, repeatable_arithmetic
        from latentloop.generators import load_generator

        repeatable_arithmetic()
        return load_generator(self.generator, device=find_device(self.device))

    def iterator(self, generator: "Generator") -> "LatentIterator | None":
        """What refines the network's codes; None for no steps."""
        from latentloop.devices import find_precision
        from latentloop.generators import low_precision
        from latentloop.inversion import LatentIterator
        from latentloop.losses import iterator_loss

        if not self.steps:
            return None
        device = generator.device
        dtype = find_precision(self.precision, device)
        config = IteratorConfig(steps=self.steps, lr=self.lr).from_good_start()
        return LatentIterator(low_precision(generator, dtype), iterator_loss(device=device, dtype=dtype), config)

    def each(
        self,
        arguments: "Sequence[str]",
        out: Path,
        generator: "Generator",
        results: "Callable[[Subject], Iterable[Path]]",
    ) -> int:
        """Make results of each subject, and say where they are; returns 2 if some could not be made.

        Args:
            arguments: As `expand` gives them.
            out: Folder of the results; the codes that are found go into embedded/ in it.
            generator: Whose codes they are.
            results: Makes them, and yields each file once it is there.
        """
        from latentloop.cli.console import say
        from latentloop.errors import UserError

        failed = False
        for subject in self.subjects(arguments, out / EMBEDDED, generator):
            try:
                for path in results(subject) if subject else ():
                    say(path)
            except UserError as error:
                say(f"latentloop: {error}", error=True)
                subject = None
            failed |= subject is None
        return 2 if failed else 0

    def together(self, arguments: "Sequence[str]", out: Path, generator: "Generator") -> "list[Subject]":
        """All subjects, for what takes them together; see `each`.

        Raises:
            UserError: One cannot be used.
        """
        from latentloop.errors import UserError

        finding = replace(self, photos=None)  # these are not pasted back
        found = list(finding.subjects(arguments, out / EMBEDDED, generator))
        subjects = [subject for subject in found if subject]
        if len(subjects) < len(found):
            raise UserError("nothing made: some of the pictures cannot be used")
        return subjects

    def subjects(self, arguments: "Sequence[str]", codes: Path, generator: "Generator") -> "Iterator[Subject | None]":
        """The subjects that arguments name, in their order; None for what cannot be used, as has been said then.

        Args:
            arguments: As `expand` gives them.
            codes: Folder for the codes of photos.
            generator: Whose codes they are.
        """
        from latentloop.cli.console import say
        from latentloop.errors import UserError
        from latentloop.photo_editing.subjects import is_coded, place_of, subjects_of

        names = self._embed([argument for argument in arguments if not is_coded(argument)], codes)
        for argument in arguments:
            found = names.get(place_of(argument))
            try:
                if is_coded(argument):
                    yield from subjects_of(argument, generator, photos=self.photos, max_pixels=self.max_pixels)
                else:
                    yield self._of_photo(argument, found, codes, generator) if found else None
            except UserError as error:
                say(f"latentloop: {error}", error=True)
                yield None

    def _of_photo(self, photo: str, names: "Sequence[str]", codes: Path, generator: "Generator") -> "Subject":
        from latentloop.embedding.result_folder import ResultFolder
        from latentloop.photo_editing.subjects import subject_of_photo

        subject = subject_of_photo(Path(photo), names, ResultFolder(codes), generator, max_pixels=self.max_pixels)
        return replace(subject, origin=None) if self.aligned else subject

    def _embed(self, photos: "Sequence[str]", codes: Path) -> dict[str, list[str]]:
        """Find the codes of photos, as latentloop embed does; the names of each photo's results, by its place."""
        from latentloop.cli.console import say
        from latentloop.photo_editing.subjects import place_of

        if not photos:
            return {}
        embed = Embed(
            photos=tuple(photos),
            out=codes,
            common=Common(self.generator, self.device),
            method="auto" if self.steps else "embed",
            embedder=self.embedder,
            iterator=IteratorConfig(steps=self.steps, lr=self.lr),
            face=self.face,
            aligned=self.aligned,
            precision=self.precision,
            max_pixels=self.max_pixels,
        )
        names: dict[str, list[str]] = {}
        for outcome in embed.embedded():
            similarity = outcome.figures.metrics["id"]
            if similarity < ROUGH and not self.aligned:
                say(
                    f"latentloop: {outcome.name}: a rough code (ID {similarity:.2f}), of which edits may look wrong",
                    error=True,
                )
            names.setdefault(place_of(str(outcome.photo)), []).append(outcome.name)
        return names


@dataclass(frozen=True)
class Drawn:
    """How results are drawn."""

    render: Literal["largest"] | int = "largest"
    """Pixels of the faces: a shipped generator that takes the same codes draws them."""
    mask: Literal["change", "face", "square"] = "change"
    """What of the aligned square goes back into the photo: what the edit changed of the head, all of the head, or all
    of the square; with soft edges."""
    blend: Literal["feather", "poisson"] = "feather"
    """poisson fits the colours at the edges to the photo's; needs OpenCV."""

    def editor(self, generator: "Generator") -> "Editor":
        """What draws and pastes."""
        from latentloop.faces import FaceMask
        from latentloop.faces.pasting import opencv
        from latentloop.generators import load_renderer
        from latentloop.photo_editing.editor import Editor

        if self.blend == "poisson":
            opencv()
        size, device = None if self.render == "largest" else self.render, generator.device
        renderer = load_renderer(generator, size, device=device)
        only_changed, mask = self.mask == "change", FaceMask("square" if self.mask == "square" else "face")
        return Editor(renderer, mask, only_changed, self.blend)

"""The folder of edited pictures: names of the results, and which files they may replace."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from latentloop.errors import UserError
from latentloop.files import refuse_overwriting
from latentloop.images import colour_profile, write_png
from latentloop.latents.code_file import save_code
from latentloop.photo_editing.rendered_edit import RenderedEdit
from latentloop.photo_editing.signatures import SIGNATURE, is_signed, signature_of
from latentloop.photo_editing.subjects import Subject
from latentloop.video import write_video


@dataclass(frozen=True)
class EditFolder:
    """Output folder of edits: paths of results by name.

    | file | what |
    |---|---|
    | `NAME.png` | the picture |
    | `NAME.npz` | the edited code; of several faces `NAME-face1.npz`, `NAME-face2.npz` ... |
    | `faces/NAME.png` | of a photo, the edited face alone; of several as for the codes |
    | `strips/NAME.png` | the faces at several strengths |
    | `NAME.mp4` | an animation of the edit, or the edited video |
    | `NAME.json` | of a video, how much the face flickers |

    A result replaces only files of the same name that were made from the same picture, which the files say themselves;
    never a file of someone else, one that it is made from, or another result of the same run.
    """

    path: Path
    """The folder; it is made with the first result."""
    sources: Sequence[str] = ()
    """Files that results are made from."""
    _signatures: dict[str, str] = field(default_factory=dict)  # by casefolded names, for Anna.png may be anna.png

    def save(self, name: str, subject: Subject, edit: RenderedEdit) -> Path:
        """Write a result without its strip and its animation; returns the picture's path.

        Raises:
            UserError: A file cannot be written, or would take the place of another one.
        """
        count = len(edit.faces)
        names = [f"{name}-face{i + 1}" for i in range(count)] if count > 1 else [name]
        files = [file for each in names for file in (self._file(f"{each}.npz"), self._file(f"faces/{each}.png"))]
        files += [self._file(f"{name}.png"), self.strip(name), self.video(name)]
        photo = subject.origin.path if subject.origin else None
        signature = self._claim(names=(name, *names), source=subject.source, files=files, photo=photo)
        for i, (each, face) in enumerate(zip(names, edit.faces, strict=True)):
            code = edit.code(subject, i)
            save_code(self._file(f"{each}.npz"), replace(code, details={**code.details, SIGNATURE: signature}))
            if subject.origin:
                write_png(self._file(f"faces/{each}.png"), face, comment=signature)
        profile = colour_profile(photo) if photo else None
        write_png(self._file(f"{name}.png"), edit.picture, profile=profile, comment=signature)
        return self._file(f"{name}.png")

    def save_strip(self, name: str, image: Tensor) -> Path:
        """Write a picture beside the results, (1, 3, H, W): the strip of one of them, or a table; returns its path.

        Raises:
            UserError: It cannot be written, or would take the place of another file.
        """
        path = self.strip(name)
        signature = self._signatures.get(name.casefold())
        write_png(path, image, comment=signature or self._claim(names=(name,), source="", files=[path]))
        return path

    def save_animation(self, name: str, frames: Iterable[Tensor], *, rate: int) -> Path:
        """Write the animation of a saved result, of images (1, 3, H, W) in [-1, 1]; returns its path.

        Raises:
            UserError: It cannot be written, or PyAV is not installed.
        """
        write_video(self.video(name), frames, Fraction(rate), comment=self._signatures[name.casefold()])
        return self.video(name)

    def claim_video(self, name: str, video: Path, sha256: str) -> str:
        """Take a name for an edited video; returns the signature for its files NAME.mp4 and NAME.json.

        Args:
            name: The result's name.
            video: The video that is edited.
            sha256: Checksum of that.

        Raises:
            UserError: A file would take the place of another one.
        """
        files = [self.video(name), self._file(f"{name}.json")]
        return self._claim(names=(name,), source=sha256, files=files, photo=video)

    def strip(self, name: str) -> Path:
        """Path of the strip of a result's edit strengths."""
        return self._file(f"strips/{name}.png")

    def video(self, name: str) -> Path:
        """Path of a result's video: the animation of an edit, or an edited video."""
        return self._file(f"{name}.mp4")

    def _file(self, name: str) -> Path:
        return self.path / name

    def _claim(self, names: Sequence[str], source: str, files: Iterable[Path], photo: Path | None = None) -> str:
        """Make a result's signature, and see that all files that may come with it may be written."""
        signature = signature_of(names[0], source)
        if any(name.casefold() in self._signatures for name in names):
            raise UserError(
                f"two results would be called {names[0]}; put one of them into another folder", arguments="out"
            )
        self._signatures.update(dict.fromkeys((name.casefold() for name in names), signature))
        sources = [*map(Path, self.sources), *([photo] if photo else [])]
        for file in files:
            refuse_overwriting(file, sources, ours=is_signed(file, signature))
        return signature

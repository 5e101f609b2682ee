"""Output folder of edits: names of results, and which files they may replace."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from latentloop.image_info import colour_profile
from latentloop.images import write_png
from latentloop.latents.code_file import save_code
from latentloop.ownership import MARK
from latentloop.photo_editing.claims import Claim, Claims
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.refined_subjects import checksum_of_codes
from latentloop.photo_editing.rendered_edit import RenderedEdit
from latentloop.photo_editing.signatures import checksum_of
from latentloop.photo_editing.subjects import Subject
from latentloop.stamps import Stamp, stamp_of
from latentloop.video import write_video

PICTURE, CODE, FACE, STRIP, VIDEO, REPORT = "{}.png", "{}.npz", "faces/{}.png", "strips/{}.png", "{}.mp4", "{}.json"
"""File name patterns of a result."""


@dataclass(frozen=True)
class EditFolder:
    """Output folder of edits: paths of results by name.

    | file | content |
    |---|---|
    | `NAME.png` | the edited picture |
    | `NAME.npz` | the edited code; for several faces `NAME-face1.npz`, `NAME-face2.npz` ... |
    | `faces/NAME.png` | the edited face alone, if it comes from a photo; for several faces as for the codes |
    | `strips/NAME.png` | the faces at several strengths |
    | `NAME.mp4` | an animation of the edit, or the edited video |
    | `NAME.json` | for a video, its flicker |

    A result replaces only an earlier one with the same signature, which its files carry. If another result has the
    name, the first digits of the signature's key are appended: NAME-3fa2c1. Foreign files and files that results are
    made from are never replaced.
    """

    path: Path
    """Folder of the results; it is created with the first one."""
    sources: Sequence[str] = ()
    """Files that results are made from."""
    _names: dict[str, str] = field(default_factory=dict)

    @property
    def _claims(self) -> Claims:
        return Claims(self.path, self.sources, _claimed=self._names)

    def claim(self, name: str, subject: Subject, editor: Editor, change: Stamp) -> Claim:
        """Reserve a name for the result of an edit, before it is drawn.

        Args:
            name: Preferred name.
            subject: Faces before the edit.
            editor: Editor that draws and pastes.
            change: Edit and strengths, and the checksum of the weights that draw it.

        Raises:
            UserError: A foreign file or a source is in the way, or this run has made the same result already.
        """
        origin = subject.origin
        stamp = {
            "source": subject.source,
            "codes": checksum_of_codes(subject.w_plus, subject.refinements),
            "place": checksum_of(origin.quads) if origin else None,
            "change": change,
            "drawing": stamp_of(editor, renderer=editor.renderer.name),
        }
        files = [PICTURE, STRIP, VIDEO, *(file for face in _face_names("{}", subject) for file in _files_of_face(face))]
        return self._claims.claim(name, stamp, files, [origin.path] if origin and origin.path else [])

    def claim_video(self, name: str, video: Path, stamp: Stamp) -> Claim:
        """Reserve a name for an edited video, before it is made.

        Args:
            name: Preferred name.
            video: Video that is edited.
            stamp: Inputs and settings that the result depends on.

        Raises:
            UserError: A foreign file or a source is in the way.
        """
        return self._claims.claim(name, stamp, [VIDEO, REPORT], [video])

    def claim_table(self, name: str, stamp: Stamp) -> Claim:
        """Reserve a name among the strips for a picture of many results, before it is drawn.

        Args:
            name: Preferred name.
            stamp: Record of what it shows.

        Raises:
            UserError: A foreign file or a source is in the way.
        """
        return self._claims.claim(name, stamp, [STRIP])

    def check_table(self, name: str) -> None:
        """Check that no file that must be kept is in the place of a table.

        Raises:
            UserError: A foreign file or a source is there.
        """
        self._claims.signatures([self._file(STRIP, name)])

    def save(self, claim: Claim, subject: Subject, edit: RenderedEdit) -> Path:
        """Write a result without its strip and animation; returns the picture's path.

        Raises:
            UserError: A file cannot be written.
        """
        for i, (name, face) in enumerate(zip(_face_names(claim.name, subject), edit.faces, strict=True)):
            code = edit.code(subject, i)
            details = {**code.details, MARK: claim.signature}
            save_code(self._file(CODE, name), replace(code, details=details))
            if subject.origin:
                write_png(self._file(FACE, name), face, comment=claim.signature)
        photo = subject.origin.path if subject.origin else None
        path = self._file(PICTURE, claim.name)
        write_png(path, edit.picture, profile=colour_profile(photo) if photo else None, comment=claim.signature)
        return path

    def save_strip(self, claim: Claim, image: Tensor) -> Path:
        """Write an image (1, 3, H, W) among the strips: the strip of a result, or a table; returns its path.

        Raises:
            UserError: The file cannot be written.
        """
        path = self._file(STRIP, claim.name)
        write_png(path, image, comment=claim.signature)
        return path

    def save_animation(self, claim: Claim, frames: Iterable[Tensor], *, rate: int) -> Path:
        """Write the animation of a result from frames (1, 3, H, W) in [-1, 1]; returns its path.

        Raises:
            UserError: The file cannot be written, or PyAV is not installed.
        """
        path = self.video(claim)
        write_video(path, frames, Fraction(rate), comment=claim.signature)
        return path

    def video(self, claim: Claim) -> Path:
        """Return the path of a result's video: the animation of an edit, or an edited video."""
        return self._file(VIDEO, claim.name)

    def _file(self, pattern: str, name: str) -> Path:
        return self._claims.file(pattern, name)


def _face_names(name: str, subject: Subject) -> list[str]:
    count = len(subject.w_plus)
    return [f"{name}-face{i + 1}" for i in range(count)] if count > 1 else [name]


def _files_of_face(name: str) -> list[str]:
    return [CODE.format(name), FACE.format(name)]

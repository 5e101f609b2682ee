"""Editing job of `latentloop-lite edit`: photos into a folder, or one into a file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from latentloop.embedding.options import FaceOptions
from latentloop.errors import UserError
from latentloop.files import replacing
from latentloop.image_info import colour_profile
from latentloop.latents.plain_code import PlainCode
from latentloop.lite.inputs import faces_in
from latentloop.lite.options import LiteEditOptions
from latentloop.lite.writing import checksum, face_names, write_results
from latentloop.ownership import is_foreign, mark, marked_by
from latentloop.photo_editing.claims import Claim, Claims
from latentloop.photo_editing.edit_name import FAR, ROUGH, SHARES, STRIP_TILE, edit_suffix, label_of, record_edit
from latentloop.pictures.grid import grid_of
from latentloop.pixels import Pixels, encode_jpeg, encode_png
from latentloop.runtime.arrays import Floats, resample, to_pixels
from latentloop.runtime.directions import edit, resolve, shipped_directions
from latentloop.runtime.engine import Runtime
from latentloop.runtime.likeness import likeness
from latentloop.runtime.results import Edited, Inverted
from latentloop.stamps import stamp_of

PICTURE, CODE_FILE, FACE, STRIP = "{}.png", "{}.npz", "faces/{}.png", "strips/{}.png"
"""File name patterns of a result."""
PICTURES = frozenset({".png", ".jpg", ".jpeg"})
"""Suffixes of a picture file that an edit can be written to."""
QUALITY = 95
"""Quality of JPEG files."""
EDIT = "edit"
"""Entry of a code file's details that records the edit, and the command whose mark the files carry."""


@dataclass(frozen=True)
class EditJob:
    """An edit applied to many pictures."""

    strengths: Mapping[str, float]
    """Strength of each direction, by its name."""
    options: LiteEditOptions
    runtime: Runtime
    faces: FaceOptions
    claims: Claims
    """Reserved names in the output folder."""
    looks: int = 1
    warn: Callable[[str], None] = lambda _: None
    """Called with warnings about results."""

    @property
    def suffix(self) -> str:
        """Suffix that the edit adds to the names of its results."""
        return edit_suffix(list(self.strengths.items()), keep=self.options.keep, layers=self.options.layers)

    @cached_property
    def too_far(self) -> str:
        """Strengths at which most faces fall apart, such as "smile=4"; empty if there are none."""
        bundled = shipped_directions(self.runtime.networks)
        far = [f"{name}={value:g}" for name, value in self.strengths.items() if name in bundled and abs(value) > FAR]
        return ", ".join(far)

    def check(self) -> None:
        """Look up the directions, so that errors are reported before any photo is read.

        Raises:
            UserError: A direction or layer is unknown, or nothing of a direction is left.
        """
        resolve(self.strengths, self.runtime.networks, keep=self.options.keep, layers=self.options.layers)

    def results(self, file: Path) -> Iterator[Path]:
        """Edit a photo or a code file, and yield each file once it is written: the picture first.

        Raises:
            UserError: The file cannot be used, or a result is in the way of another or cannot be written.
        """
        faces = faces_in(file, self.runtime, self.faces, looks=self.looks)
        claim = self._claim(file, faces)
        edited = self._edited(faces)
        yield self._save(file, claim, edited)
        if self.options.strip:
            strip = self.claims.file(STRIP, claim.name)
            write_results({}, {strip: self._strip(faces)}, claim.signature)
            yield strip

    def to_file(self, file: Path, out: Path) -> Path:
        """Edit a photo or a code file, and write only the picture to a .png or .jpg file; returns its path.

        Raises:
            UserError: The file cannot be used, or a foreign file is in the way.
        """
        if is_foreign(out, marked_by(EDIT)) or out.resolve() == file.resolve():
            raise UserError(f"the result would overwrite {out}; choose another name", arguments="out")
        edited = self._edited(faces_in(file, self.runtime, self.faces, looks=self.looks))
        profile = colour_profile(file) if _in_photo(edited.faces) else None
        if out.suffix.lower() == ".png":
            content = encode_png(edited.pixels, profile=profile, comment=mark(EDIT))
        else:
            content = encode_jpeg(edited.pixels, quality=QUALITY, profile=profile, comment=mark(EDIT))
        with replacing(out) as part:
            part.write_bytes(content)
        return out

    def _edited(self, faces: Sequence[Inverted]) -> Edited:
        options = self.options
        self._warn_if_rough(faces)
        return self.runtime.edit(faces, self.strengths, keep=options.keep, layers=options.layers, mask=options.mask)

    def _warn_if_rough(self, faces: Sequence[Inverted]) -> None:
        for face in faces:
            if face.aligned is not None and face.pasted:
                similarity = likeness(face.image, face.aligned, self.runtime.networks)
                if similarity is not None and similarity < ROUGH:
                    self.warn(f"{face.name}: a rough code (ID {similarity:.2f}): edits may look wrong")

    def _claim(self, file: Path, faces: Sequence[Inverted]) -> Claim:
        of_faces = [FACE, CODE_FILE] if _in_photo(faces) else [CODE_FILE]
        names = face_names("{}", len(faces))
        patterns = [PICTURE, STRIP, *(pattern.format(name) for name in names for pattern in of_faces)]
        stamp = {
            "source": faces[0].details.get("photo"),
            "codes": [checksum(one.w_plus) for one in faces],
            "place": [checksum(one.quad) for one in faces] if _in_photo(faces) else None,
            "change": stamp_of(self.options, edit=self.suffix),
            "drawing": {"engine": "onnx", "renderer": self.runtime.networks.generator},
        }
        return self.claims.claim(f"{file.stem}-{self.suffix}", stamp, patterns, [file])

    def _save(self, file: Path, claim: Claim, edited: Edited) -> Path:
        """Write a result without its strip; returns the picture's path."""
        pasted, codes, pictures = _in_photo(edited.faces), dict[Path, PlainCode](), dict[Path, Pixels]()
        for i, name in enumerate(face_names(claim.name, len(edited.faces))):
            codes[self.claims.file(CODE_FILE, name)] = self._code(edited, i)
            if pasted:
                pictures[self.claims.file(FACE, name)] = to_pixels(edited.drawn[i])
        path = self.claims.file(PICTURE, claim.name)
        profile = colour_profile(file) if pasted else None
        write_results(codes, {**pictures, path: edited.pixels}, claim.signature, profile)
        return path

    def _code(self, edited: Edited, i: int) -> PlainCode:
        source = edited.faces[i].code
        record = record_edit(self.strengths, keep=self.options.keep, layers=self.options.layers)
        photo = {"photo": source.photo} if source.photo else {}
        return replace(source, w_plus=edited.codes[i], details={EDIT: record, **photo})

    def _strip(self, faces: Sequence[Inverted]) -> Pixels:
        """Draw faces in rows from the opposite of the edit to the full edit, after their aligned photos."""
        options, rows = self.options, [list[Pixels]() for _ in faces]
        strengths = list(self.strengths.items())
        columns = [label_of(strengths, share) for share in SHARES]
        edits = resolve(self.strengths, self.runtime.networks, keep=options.keep, layers=options.layers)
        for row, face in zip(rows, faces, strict=True):
            row += [_tile(face.aligned)] if face.aligned is not None else []
            for share in SHARES:
                codes = edit(face.w_plus[None], [(direction, share * strength) for direction, strength in edits])
                row.append(_tile(self.runtime.draw(codes)))
        return grid_of(rows, ["photo", *columns] if faces[0].aligned is not None else columns, tile=STRIP_TILE)


def _in_photo(faces: Sequence[Inverted]) -> bool:
    return faces[0].photo is not None and faces[0].pasted


def _tile(image: Floats) -> Pixels:
    return to_pixels(resample(image, STRIP_TILE))

"""Image sets for measuring StyleGAN inversion, found in a folder that the user provides.

Files are found by their names; whether they are images is tested when they are read.
"""

import csv
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from latentloop.benchmark.options import DataName
from latentloop.errors import UserError, shown
from latentloop.files import refuse_no_file
from latentloop.photos.find import find_photos

Places = dict[str, Path | None]  # an image's name in its set -> its file, None if missing

NAMED = 5
"""Number of missing images that a summary lists."""


@dataclass(frozen=True)
class ImageSet:
    """Images of a set found in a folder, and names of missing ones, both in the set's order."""

    name: str
    photos: tuple[Path, ...]
    missing: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name in tables: the set's, or the folder's for an arbitrary folder."""
        return self.photos[0].resolve().parent.name if self.name == "folder" else self.name

    def summary(self) -> str:
        """Describe the images on one line, e.g. "ffhq: 9,999 of 10,000 images found; missing 1: 60012.png"."""
        if not self.missing:
            return f"{self.name}: {len(self.photos):,} image{'s' if len(self.photos) > 1 else ''} found"
        found = f"{len(self.photos):,} of {len(self.photos) + len(self.missing):,} images found"
        some = [*self.missing[:NAMED], *(["..."] if len(self.missing) > NAMED else [])]
        return f"{self.name}: {found}; missing {len(self.missing):,}: {', '.join(some)}"


def find_images(data: DataName, root: Path, *, limit: int | None = None) -> ImageSet:
    """Find a set's images in a folder, sorted by name, numbers by value.

    Args:
        data: Name of the set; its finder below documents what the folder should contain.
        root: Folder to search.
        limit: Use only the first images of the set, missing ones included, so that everybody measures the same.

    Raises:
        UserError: The folder does not exist or has no image of the set, or a text file is missing or malformed.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be 1 or more, got {limit}")
    places = _places(data, root)
    names = sorted(places, key=_order)[:limit]
    photos = tuple(photo for name in names if (photo := places[name]) is not None)
    if not photos:
        wanted = f"no image of {data} found" if limit is None else f"none of the first {limit:,} of {data} found"
        raise UserError(f"{root}: {wanted}; looked for {LOOKED_FOR[data]}")
    return ImageSet(data, photos, tuple(name for name in names if places[name] is None))


def _places(data: DataName, root: Path) -> Places:
    try:
        if not root.is_dir():
            raise UserError(f"{root}: {'a file, not a folder' if root.exists() else 'no such folder'}")
        return FINDERS[data](root)
    except OSError as error:
        raise UserError(f"{error.filename or root}: {error.strerror or error}") from error


def _order(name: str) -> tuple[float, str]:
    stem = Path(name).stem
    return (int(stem) if stem.isdecimal() else math.inf), name


def _folder(root: Path) -> Places:
    """Find photos directly in the folder."""
    next(root.iterdir(), None)  # a folder that cannot be read is refused here, though not among photos
    return {photo.name: photo for photo in find_photos([str(root)])}


def _celeba_hq(root: Path) -> Places:
    """Find CelebA-HQ's test split: 2,824 of its 30,000 images, those made from images of CelebA's test split.

    The folder is that of CelebAMask-HQ (Lee et al., arXiv:1907.11922), with CelebA's list_eval_partition.txt added. It
    holds images 0.jpg to 29999.jpg, with or without leading zeros, .jpg or .png, itself or in CelebA-HQ-img or images.
    """
    images = _numbered([root, root / "CelebA-HQ-img", root / "images"])
    if max(images, default=0) > 29999:
        # Some copies count from 1, which shifts all images; CelebA itself goes up to 202599.jpg.
        raise UserError(f"{images[max(images)]}: not an image of CelebA-HQ, which has 0.jpg to 29999.jpg")
    return {f"{index}.jpg": images.get(index) for index in _celeba_hq_test_split(root)}


def _celeba_hq_test_split(root: Path) -> set[int]:
    """Return the indices of CelebA-HQ's images whose originals are in partition 2 of CelebA.

    CelebA-HQ-to-CelebA-mapping.txt has a header, "idx orig_idx orig_file", and rows such as "0 119613 119614.jpg".
    """
    mapping = _required(root, "CelebA-HQ-to-CelebA-mapping.txt", "CelebAMask-HQ, github.com/switchablenorms")
    partitions = _celeba_partitions(root)
    test: set[int] = set()
    for number, line in _lines(mapping):
        if line.split() == ["idx", "orig_idx", "orig_file"]:
            continue
        index, original = MAPPING.parse(mapping, number, line).groups()
        if original not in partitions:
            raise UserError(f"{mapping}: line {number}: {shown(original)} is not in list_eval_partition.txt")
        if partitions[original] == "2":
            test.add(int(index))
    if not test:
        raise UserError(f"{mapping}: names no image of CelebA's test split; is the file complete?")
    return test


def _celeba_partitions(root: Path) -> dict[str, str]:
    """Map CelebA's images to partitions: "0" is training, "1" validation, "2" test.

    list_eval_partition.txt has rows such as "000001.jpg 0" (Liu et al., arXiv:1411.7766).
    """
    file = _required(root, "list_eval_partition.txt", "CelebA, mmlab.ie.cuhk.edu.hk/projects/CelebA.html")
    rows = (PARTITION.parse(file, number, line) for number, line in _lines(file))
    return {row[1]: row[2] for row in rows}


def _cacd(root: Path) -> Places:
    """Find images of the Cross-Age Celebrity Dataset (Chen et al., ECCV 2014): age_name_number.jpg, also in CACD2000.

    All of them, or those listed in the folder's cacd.txt (one name per line) or cacd.csv (column `name`). Guan et al.
    do not say which images of CACD they measured, so their figures are for other images.
    """
    images = {image.name: image for image in _images([root / "CACD2000", root], CACD.pattern)}
    lists = [file for file in (root / "cacd.txt", root / "cacd.csv") if file.exists()]
    if len(lists) > 1:
        raise UserError(f"{root}: has both cacd.txt and cacd.csv; keep only one")
    if not lists:
        return dict(images)
    lines = _csv_names(lists[0]) if lists[0].suffix == ".csv" else _lines(lists[0])
    names = [CACD.parse(lists[0], number, line)[0] for number, line in lines]
    return {name: images.get(name) for name in names}


def _csv_names(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the line number and the cell in column `name` of each row of a CSV file."""
    rows = csv.DictReader(_text(file).splitlines())
    try:
        if "name" not in (rows.fieldnames or ()):
            raise UserError(f"{file}: line 1: expected a header with a column `name`")
        for row in rows:
            yield rows.line_num, (row["name"] or "").strip()
    except csv.Error as error:
        raise UserError(f"{file}: line {rows.reader.line_num}: {error}") from error


def _ffhq(root: Path) -> Places:
    """Find FFHQ's last 10,000 images, its authors' validation set (github.com/NVlabs/ffhq-dataset).

    60000.png to 69999.png, or .jpg, in the folder or as FFHQ is distributed: 60000/60000.png to 69000/69999.png.
    """
    images = _numbered([root, *(root / f"{thousand}000" for thousand in range(60, 70))])
    return {f"{number}.png": images.get(number) for number in range(60000, 70000)}


def _numbered(folders: Iterable[Path]) -> dict[int, Path]:
    """Find images named by numbers; the first folder takes precedence, then .jpg over .png."""
    images: dict[int, Path] = {}
    for image in _images(folders, r"\d{1,6}\.(?i:jpg|png)"):
        images.setdefault(int(image.stem), image)
    return images


def _images(folders: Iterable[Path], pattern: str) -> list[Path]:
    """List files directly in folders, if these exist, whose names match a pattern, in order."""
    inside = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    return [path for path in inside if re.fullmatch(pattern, path.name) and path.is_file()]


@dataclass(frozen=True)
class _Line:
    """Format of a text file's lines."""

    pattern: str
    example: str

    def parse(self, file: Path, number: int, line: str) -> re.Match[str]:
        row = re.fullmatch(self.pattern, line)
        if row is None:
            raise UserError(f"{file}: line {number}: expected a line such as {self.example!r}, got {shown(line)}")
        return row


MAPPING = _Line(r"(\d{1,5})\s+\d+\s+(\S+)", "0 119613 119614.jpg")
PARTITION = _Line(r"(\S+)\s+([012])", "000001.jpg 0")
CACD = _Line(r"\d+_.+_\d+\.(?i:jpg)", "53_Robin_Williams_0001.jpg")


def _required(root: Path, name: str, source: str) -> Path:
    if not (root / name).is_file():
        raise UserError(f"{root}: {name} is missing; it comes with {source}")
    return root / name


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and content of a text file's lines that are not empty."""
    stripped = (line.strip() for line in _text(file).splitlines())
    return ((number, line) for number, line in enumerate(stripped, start=1) if line)


def _text(file: Path) -> str:
    refuse_no_file(file, what="a list of images")
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not text in UTF-8") from error


FINDERS: dict[DataName, Callable[[Path], Places]] = {
    "folder": _folder,
    "celeba-hq": _celeba_hq,
    "cacd": _cacd,
    "ffhq": _ffhq,
}
LOOKED_FOR: dict[DataName, str] = {  # `find_photos` says so itself
    "celeba-hq": "0.jpg to 29999.jpg, also as 00000.jpg or .png, in this folder, CelebA-HQ-img and images",
    "cacd": f"{CACD.example} and the like, or what cacd.txt or cacd.csv lists, in this folder and CACD2000",
    "ffhq": "60000.png to 69999.png, or .jpg, in this folder and its folders 60000 to 69000",
}

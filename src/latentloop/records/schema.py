"""Schema of the records that `latentloop bulk` writes: one row per face, and one per photo that failed."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from latentloop.extras import load_extra

if TYPE_CHECKING:
    import pyarrow

FORMAT = 1
"""Version of the schema."""
METADATA = b"latentloop"
"""Key of the schema's metadata that holds the run's properties as JSON."""
OK, ERROR = "ok", "error"
"""Values of the column `status`."""

RECORDS, PICTURES = "records", "pictures"
"""Subfolders of the Parquet files, and of the tar files with pictures."""
CROP, RECONSTRUCTION = "crop_jpeg", "reconstruction_jpeg"
"""Columns of pictures, which are written to tar files instead of the records."""


@dataclass(frozen=True)
class Column:
    """A column of the records: name, type, meaning and shape."""

    name: str
    """Name of the column."""
    kind: str
    """Arrow's name of the values' type: string, int32, float16 ..."""
    meaning: str
    """Description of the column, which is stored in the files' schema."""
    shape: tuple[int | str, ...] = ()
    """Shape of the array in each row, stored flat in row-major order; a size may be the name of a field of
    `RecordRun`."""


COLUMNS = (
    Column("path", "string", "The photo: the path of its file, TAR:MEMBER, or TABLE:ROW for a row of a Parquet file."),
    Column("key", "string", "SHA-256 of the photo's bytes, in hexadecimal; null if they could not be read."),
    Column("face", "int32", "Number of the face in the photo: 1 is the largest. 0 in the error of a whole photo."),
    Column("faces", "int32", "How many faces of the photo have rows."),
    Column("status", "string", "ok, or error."),
    Column("error", "string", "What was wrong, in one line; null if the status is ok."),
    Column("width", "int32", "Width of the upright photo in pixels."),
    Column("height", "int32", "Height of the upright photo in pixels."),
    Column("box", "float32", "Left, top, right and bottom of the face, in pixels of the photo.", (4,)),
    Column("score", "float32", "Probability of a face, as the detector gives it, 0 to 1."),
    Column("landmarks", "float32", "(x, y) of the eyes, the nose and the corners of the mouth, in pixels.", (5, 2)),
    Column("quad", "float64", "Corners (x, y) of the aligned square: top left, bottom left, bottom right ...", (4, 2)),
    Column("code", "float16", "The code in W+.", ("num_ws", "w_dim")),
    Column("steps", "int32", "Steps of the iterator that were taken; 0 after one pass of the network."),
    Column("loss", "float32", "Loss of the iterator for this code; null after one pass of the network."),
    Column("identity", "float16", "MobileFaceNet embedding of the aligned face, of length 1.", ("identity_dim",)),
    Column("mse", "float32", "Mean squared error of the reconstruction, on [-1, 1], at 256 pixels."),
    Column("psnr", "float32", "Peak signal-to-noise ratio of the reconstruction, in dB."),
    Column("ssim", "float32", "Structural similarity of the reconstruction, 1 for the same image."),
    Column("lpips_alex", "float32", "Perceptual distance (LPIPS, AlexNet) of the reconstruction, 0 for the same."),
    Column("id", "float32", "Cosine similarity of the identity embeddings of face and reconstruction."),
    Column("generator", "string", "Name of the generator that the code belongs to."),
    Column("fingerprint", "string", "Fingerprint of its latent space; generators that share it draw the same face."),
    Column("model", "string", "Embedding network: a name, and the first 12 digits of its checksum."),
    Column("version", "string", "Version of latentloop that made the record."),
)
"""All columns, in order. Columns from `box` on are null in the error of a whole photo, those from `code` on in the
error of one face; those of the detector are null for aligned photos, and metrics if they were not asked for."""
METRICS = ("mse", "psnr", "ssim", "lpips_alex", "id")
"""Names of the columns with metrics of the reconstruction."""


@dataclass(frozen=True)
class RecordRun:
    """Properties that all records of a folder share."""

    generator: str
    """Name of the generator."""
    fingerprint: str
    """Fingerprint of its latent space."""
    model: str
    """Embedding network: its name, and the first 12 digits of its checksum."""
    version: str
    """Version of latentloop."""
    num_ws: int
    """Number of styles of a code."""
    w_dim: int
    """Length of a style vector."""
    identity_dim: int
    """Length of an identity embedding."""
    settings: Mapping[str, Any]
    """Stamp of the run: everything that its codes depend on, as JSON values."""

    def as_json(self) -> dict[str, Any]:
        """Convert to JSON values, for the folder's bulk.json and the files' metadata."""
        return {"format": FORMAT, **asdict(self), "settings": dict(self.settings)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "RecordRun":
        """Build the run from values that `as_json` returned.

        Raises:
            LookupError, TypeError, ValueError: A value is missing, of the wrong type, or of a later version.
        """
        if values["format"] != FORMAT:
            raise ValueError(f"records of version {values['format']!r:.20}, this latentloop reads version {FORMAT}")
        texts = {name: _typed(values, name, str) for name in ("generator", "fingerprint", "model", "version")}
        sizes = {name: _typed(values, name, int) for name in ("num_ws", "w_dim", "identity_dim")}
        return cls(**texts, **sizes, settings=_typed(values, "settings", dict))

    def size_of(self, column: Column) -> int:
        """Return the number of values in each row of a column."""
        return math.prod(size if isinstance(size, int) else getattr(self, size) for size in column.shape)


def arrow_schema(run: RecordRun) -> "pyarrow.Schema":
    """Build the schema of the Parquet files of a run.

    Raises:
        UserError: pyarrow is not installed.
    """
    arrow = load_arrow()
    fields = [arrow.field(one.name, _arrow_type(one, run), metadata={"meaning": one.meaning}) for one in COLUMNS]
    return arrow.schema(fields, metadata={METADATA: json.dumps(run.as_json())})


def load_arrow() -> Any:  # noqa: ANN401 - a module without types
    """Import pyarrow with its Parquet module.

    Raises:
        UserError: pyarrow is not installed.
    """
    for part in ("pyarrow.compute", "pyarrow.parquet"):
        load_extra(part, "Parquet files need pyarrow", "latentloop[bulk]")
    return load_extra("pyarrow", "Parquet files need pyarrow", "latentloop[bulk]")


def _arrow_type(column: Column, run: RecordRun) -> Any:  # noqa: ANN401 - a type of pyarrow
    element = getattr(load_arrow(), column.kind)()
    return load_arrow().list_(element, run.size_of(column)) if column.shape else element


def _typed(values: Mapping[str, Any], name: str, kind: type) -> Any:  # noqa: ANN401 - of that type
    if not isinstance(values[name], kind):
        raise TypeError(f"{name} must be {kind.__name__}, got {type(values[name]).__name__}")
    return values[name]

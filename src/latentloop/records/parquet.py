"""Opening Parquet files that may be anybody's."""

from pathlib import Path
from typing import Any

from latentloop.errors import UserError, in_one_line
from latentloop.records.schema import load_arrow


def open_parquet(file: Path | str) -> Any:  # noqa: ANN401 - a ParquetFile of pyarrow
    """Open a Parquet file; only its description is read.

    Raises:
        UserError: pyarrow is not installed; it is no such file, or has types of other programs. Some of these would run
            what the file says as its values are read: Ray's are pickles.
    """
    arrow = load_arrow()
    try:
        opened = arrow.parquet.ParquetFile(file)
        foreign = next((field for field in opened.schema_arrow if _is_foreign(field.type)), None)
    except (OSError, arrow.ArrowException) as error:
        raise UserError(f"{file}: cannot read it as a Parquet file: {in_one_line(error)}") from error
    if foreign is not None:
        raise UserError(f"{file}: column {foreign.name} has values of another program's type, which are not read")
    return opened


def _is_foreign(kind: Any) -> bool:  # noqa: ANN401 - a type of pyarrow
    """Return whether a type is an extension of Arrow's, or has one within it."""
    inner = [kind.field(i).type for i in range(kind.num_fields)] if kind.num_fields else []
    return isinstance(kind, load_arrow().BaseExtensionType) or any(map(_is_foreign, inner))

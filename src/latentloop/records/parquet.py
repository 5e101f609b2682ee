"""Safe opening of Parquet files from any source."""

from pathlib import Path
from typing import Any

from latentloop.errors import UserError, in_one_line
from latentloop.records.schema import load_arrow


def open_parquet(file: Path | str) -> Any:  # noqa: ANN401 - a ParquetFile of pyarrow
    """Open a Parquet file; only its metadata is read.

    Files with extension types of other programs are refused, since some of these execute the file's content when its
    values are read: Ray's are pickles.

    Raises:
        UserError: pyarrow is not installed, the file is not a Parquet file, or it has extension types.
    """
    arrow = load_arrow()
    try:
        opened = arrow.parquet.ParquetFile(file)
        foreign = next((field for field in opened.schema_arrow if _is_foreign(field.type)), None)
    except (OSError, arrow.ArrowException) as error:
        raise UserError(f"{file}: cannot read it as a Parquet file: {in_one_line(error)}") from error
    if foreign is not None:
        raise UserError(
            f"{file}: column {foreign.name} has another program's type, which is refused since it may run code"
        )
    return opened


def _is_foreign(kind: Any) -> bool:  # noqa: ANN401 - a type of pyarrow
    """Whether an Arrow type is an extension type, or contains one."""
    inner = [kind.field(i).type for i in range(kind.num_fields)] if kind.num_fields else []
    return isinstance(kind, load_arrow().BaseExtensionType) or any(map(_is_foreign, inner))

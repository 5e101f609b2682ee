"""HTML files made from templates, with all pictures inside."""

import base64
import io
from pathlib import Path

import jinja2
import matplotlib as mpl
from matplotlib.figure import Figure

from latentloop.files import replacing


def write_html(path: Path, template: str, **values: object) -> None:
    """Fill in one of this package's templates and write it; the file appears whole or not at all.

    Args:
        path: File to write.
        template: Name of the template.
        values: Its variables.

    Raises:
        UserError: The file cannot be written.
    """
    environment = jinja2.Environment(loader=jinja2.PackageLoader("latentloop.embedding"), autoescape=True)
    html = environment.get_template(template).render(**values)
    with replacing(path) as part:
        part.write_text(html, encoding="utf-8", errors="backslashreplace")  # file names may contain any bytes


def data_uri(kind: str, data: bytes) -> str:
    """Encode data of a media type, such as "image/jpeg", as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def svg_uri(figure: Figure) -> str:
    """Encode a figure as the data URI of an SVG; equal figures give equal text."""
    buffer = io.BytesIO()
    # Matplotlib's default salt and date change from run to run, and with them every byte of the report.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "latentloop"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return data_uri("image/svg+xml", buffer.getvalue())

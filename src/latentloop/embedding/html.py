"""Writing HTML from templates, with drawings inside."""

import base64
import io
from pathlib import Path

import jinja2
import matplotlib as mpl
from matplotlib.figure import Figure

from latentloop.files import replacing


def write_html(path: Path, template: str, **values: object) -> None:
    """Fill in a template of this package; the file appears whole.

    Args:
        path: The file.
        template: Name of the template.
        values: Its variables.

    Raises:
        UserError: The file cannot be written.
    """
    environment = jinja2.Environment(loader=jinja2.PackageLoader("latentloop.embedding"), autoescape=True)
    html = environment.get_template(template).render(**values)
    with replacing(path) as part:
        part.write_text(html, encoding="utf-8", errors="backslashreplace")  # names of files may have any bytes


def data_uri(kind: str, data: bytes) -> str:
    """Encode data, such as a picture of the media type "image/jpeg", as an address that contains it."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def svg_uri(figure: Figure) -> str:
    """Encode a figure as the address of an SVG; equal figures give equal ones."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "latentloop"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return data_uri("image/svg+xml", buffer.getvalue())

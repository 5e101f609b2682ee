"""The command `latentloop export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from latentloop.cli.console import say, track
from latentloop.cli.inputs import refuse_missing
from latentloop.cli.options import UNTITLED
from latentloop.export.options import ExportOptions, PartName


@dataclass(frozen=True)
class Export:
    """Write networks as ONNX files, which run without PyTorch: in ONNX Runtime, OpenVINO, browsers, on phones.

    The folder --out gets an .onnx file for each network, and bundle.json, which describes them. Before a file is
    written, its outputs in ONNX Runtime are compared with PyTorch's, and it is refused if they differ. The batch size
    is free; docs/onnx.md lists inputs and outputs. Needs: pip install 'latentloop[onnx]'.

    web writes a page instead, a folder of files for any web host: the visitors' browsers find and edit the faces, and
    no photo leaves their computers. The page's default generator is mobile-ffhq-256. docs/browser.md explains it.

    All bundled networks: latentloop export --half --out onnx

    Both networks of your own StyleGAN: latentloop export generator mapping --generator yours.pkl --out onnx

    An encoder of pSp, e4e or ReStyle: latentloop export embedder --generator ffhq.pkl --embedder e4e_ffhq.pt --out onnx

    Edit photos with them: latentloop-lite edit photo.jpg --set smile=1 --bundle onnx

    The page: latentloop export web --out site, and to look at it: python -m http.server -d site
    """

    parts: Annotated[
        tuple[PartName | Literal["web"], ...], tyro.conf.Positional, tyro.conf.arg(metavar="[PART ...]")
    ] = ()
    """Networks to export: generator (its synthesis network), mapping, embedder (with its second look), faces (the three
    networks of the detector), identity, lpips; by default everything that the generator has. Or web, the page."""
    out: Path | None = None
    """Output folder; by default onnx, or site for the page."""
    options: Annotated[ExportOptions, UNTITLED] = ExportOptions()

    def __post_init__(self) -> None:
        if "web" in self.parts and len(self.parts) > 1:
            raise ValueError("web is exported by itself, not beside other parts")

    def run(self) -> int:
        """Export the networks, and print one line per file."""
        options = self.options
        refuse_missing(generators=[options.generator], embedders=[options.embedder])
        if "web" in self.parts:
            from latentloop.cli.export_web import export_web

            return export_web(self.out or Path("site"), options)
        from latentloop.export import set_up_export

        job = set_up_export([part for part in self.parts if part != "web"], self.out or Path("onnx"), options)
        for file in track(job.run(), len(job.parts), "networks"):
            say(f"{file.path}: {file.size / 2**20:.1f} MiB, differs from PyTorch by {file.difference:.1g} at most")
        return 0

"""Job of `latentloop export`: PyTorch networks to a folder of ONNX files."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentloop.encoders.embedder_file import missing_network, shipped_embedder
from latentloop.encoders.pretrained import Encoder, load_encoder
from latentloop.export.about import about_encoder, about_generator, describe
from latentloop.export.checking import HALF_TOLERANCE, check_graph
from latentloop.export.graph import export_graph
from latentloop.export.modules import (
    Part,
    encoder_parts,
    face_parts,
    generator_part,
    identity_part,
    lpips_part,
    mapping_part,
)
from latentloop.export.options import PARTS, ExportOptions, PartName
from latentloop.export.placement import SHARED, halve, share
from latentloop.extras import require_extra
from latentloop.files import check_writable, remove_leftovers, replacing
from latentloop.generators import Generator, load_generator
from latentloop.ownership import MARK, mark, marked_by, refuse_foreign, refuse_links
from latentloop.weights import ReadOnce, kind_in

if TYPE_CHECKING:
    from onnx import ModelProto

BUNDLE = "bundle.json"
"""File that describes an export's other files; it is written last."""
BEGINNING = 16
"""Number of bytes by which one of our graphs is recognized."""
OURS = re.compile(rb"\x08.\x12\x0alatentloop", re.DOTALL)
"""Pattern of fields 1 and 2 of an ONNX model: the format's version, and the producer's name."""


@dataclass(frozen=True)
class Exported:
    """A file of an export."""

    path: Path
    """Path of the written file."""
    size: int
    """Size of the file in bytes."""
    difference: float
    """Largest difference from PyTorch."""


@dataclass(frozen=True)
class Export:
    """Networks that are loaded and ready to be exported."""

    parts: Sequence[Part]
    """Networks that are exported."""
    about: Mapping[str, Any]
    """Description of the generator and the embedding network, for bundle.json."""
    out: Path
    """Folder for the files."""
    options: ExportOptions

    def run(self) -> Iterator[Exported]:
        """Export, check and write each network; yields each file once it is written, bundle.json after all.

        Raises:
            UserError: A graph's outputs differ from PyTorch's, or a file cannot be written.
        """
        models: dict[str, ModelProto] = {}
        differences: dict[str, float] = {}
        for part in self.parts:
            model = export_graph(part)
            # Checked in float32 first: a wrong graph must not hide behind the tolerance of float16.
            differences[part.name] = check_graph(part, model)
            if self.options.half:
                halve(model)
                differences[part.name] = check_graph(part, model, tolerance=HALF_TOLERANCE)
            describe(model, part, self.about["generator"], half=self.options.half)
            if self.options.share:
                models[part.name] = model
            else:
                yield self._written(part.name, model, differences)
        if self.options.share:
            write(self.out / SHARED, share(models))
            for name, model in models.items():
                yield self._written(name, model, differences)
        write(self.out / BUNDLE, self._bundle())

    def _written(self, name: str, model: "ModelProto", differences: Mapping[str, float]) -> Exported:
        path, content = self.out / f"{name}.onnx", model.SerializeToString()
        write(path, content)
        return Exported(path, len(content), differences[name])

    def _bundle(self) -> bytes:
        names = [f"{part.name}.onnx" for part in self.parts] + [SHARED] * self.options.share
        # Read back: the checksums are those of the files on disk.
        listed = {name: listed_as((self.out / name).read_bytes()) for name in names}
        return json.dumps({MARK: mark("export"), **self.about, "files": listed}, indent=1).encode()


def write(path: Path, content: bytes) -> None:
    """Write a file of an export; it appears whole or not at all."""
    with replacing(path) as part:
        part.write_bytes(content)


def listed_as(content: bytes) -> dict[str, int | str]:
    """Describe a file for bundle.json: its size in bytes, and its SHA-256 in hexadecimal."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def is_our_graph(path: Path) -> bool:
    """Tell whether latentloop wrote a graph: it begins with its version of ONNX and our name."""
    with path.open("rb") as file:
        return OURS.match(file.read(BEGINNING)) is not None


def set_up_export(names: Sequence[PartName], out: Path, options: ExportOptions) -> Export:
    """Load the networks to export, and check that their files replace no foreign ones.

    Args:
        names: Parts to export; empty for all that the generator has.
        out: Folder for the files.
        options: Generator, embedding network, and storage of weights.

    Raises:
        UserError: A network cannot be read or does not exist, or a foreign file is in the way.
        ValueError: A part is unknown.
    """
    if unknown := [name for name in names if name not in PARTS]:
        raise ValueError(f"parts must be among {', '.join(PARTS)}, got {unknown[0]}")
    for module in ("onnx", "onnxscript", "onnxruntime"):
        require_extra(module, "export needs ONNX and its runtime", "latentloop[onnx]")
    wanted = names or PARTS
    with ReadOnce():
        generator = load_generator(options.generator, which=options.which)
        encoder, name = (
            _encoder(generator, options, asked="embedder" in names) if "embedder" in wanted else (None, None)
        )
        parts = list(_parts(wanted, generator, encoder))
    about = {"generator": about_generator(generator)}
    if encoder and name:
        about["embedder"] = about_encoder(encoder, name)
    _prepare(out, parts, share=options.share)
    return Export(parts, about, out, options)


def _parts(names: Sequence[PartName], generator: Generator, encoder: Encoder | None) -> Iterator[Part]:
    made: dict[PartName, Callable[[], list[Part]]] = {
        "generator": lambda: [generator_part(generator)],
        "mapping": lambda: [mapping_part(generator)],
        "embedder": lambda: encoder_parts(encoder, generator) if encoder else [],
        "faces": face_parts,
        "identity": lambda: [identity_part()],
        "lpips": lambda: [lpips_part()],
    }
    for name in dict.fromkeys(names):
        yield from made[name]()


def _encoder(generator: Generator, options: ExportOptions, *, asked: bool) -> tuple[Encoder | None, str | None]:
    """Return the embedding network and its name; None if there is none and it was not requested by name."""
    name = options.embedder or shipped_embedder(generator)
    if name is None and asked:
        raise missing_network(generator)
    return (load_encoder(name, generator), name) if name else (None, None)


def _prepare(out: Path, parts: Sequence[Part], *, share: bool) -> None:
    """Check that a folder can receive the files of an export."""
    graphs = [out / f"{part.name}.onnx" for part in parts]
    refuse_links(out, *graphs, out / SHARED, out / BUNDLE)
    refuse_foreign(graphs, is_our_graph)
    refuse_foreign([out / BUNDLE], marked_by("export"))
    if share:
        refuse_foreign([out / SHARED], lambda path: kind_in(path) == "onnx")
    check_writable(out)
    remove_leftovers(out)
    (out / BUNDLE).unlink(missing_ok=True)  # from now on its checksums would be wrong

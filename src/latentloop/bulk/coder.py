"""Face detection and embedding in the workers of a bulk job: from photos to rows of records."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from latentloop.bulk.options import BulkOptions
from latentloop.bulk.photos import BulkPhoto
from latentloop.defaults import WORKING_SIZE, Precision
from latentloop.embedding import Components, components_for, set_up
from latentloop.embedding.inverter import Inverter
from latentloop.embedding.setup import Setup
from latentloop.embedding.starts import FaceStart, Wanted
from latentloop.errors import NotFiniteError, UserError, is_out_of_memory
from latentloop.evaluation.measure import Evaluator, load_evaluator
from latentloop.faces import AlignedFace, align_faces, already_aligned, fixed_crop
from latentloop.generators.registry import renderers_of
from latentloop.images import decode_image, jpeg_bytes, resample
from latentloop.records.naming import name_of
from latentloop.records.schema import CROP, ERROR, OK, RECONSTRUCTION, RecordRun
from latentloop.version import __version__

Row = dict[str, Any]
"""A table row: values by column."""
TARGET = "target"
"""Column that carries an aligned face from detection to embedding, (3, R, R) float32 bytes."""


@dataclass(frozen=True)
class FaceFinder:
    """Reads photos, and finds and aligns their faces."""

    options: BulkOptions
    components: Components
    resolution: int
    """Side of the aligned faces that codes are computed for, in pixels."""

    def rows(self, photos: Iterable[BulkPhoto]) -> list[Row]:
        """Create a row for each face, with the aligned image in `TARGET`; photos without one get an error row."""
        return [row for photo in photos for row in self._rows_of(photo)]

    def _rows_of(self, photo: BulkPhoto) -> list[Row]:
        row: Row = {"path": photo.path, "key": None}
        try:
            content = photo.read()
            row["key"] = hashlib.sha256(content).hexdigest()
            image = decode_image(content, photo.path, max_pixels=self.options.faces.max_pixels)
            row |= {"width": image.shape[-1], "height": image.shape[-2]}
            faces = self._faces(image)
        except UserError as error:
            return [failed(row, str(error))]
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            return [failed(row, "not enough memory to read it and find faces")]
        return [row | self._found(face, i + 1, len(faces)) for i, face in enumerate(faces)]

    def _faces(self, image: Tensor) -> list[AlignedFace]:
        # Aligned at the size that `embed` uses and resampled later, so that the codes are the same.
        size = max(renderers_of(self.components.generator))
        if self.options.faces.aligned:
            return [already_aligned(image, size)]
        return align_faces(image, self.components.detector, size, face=self.options.faces.face)

    def _found(self, face: AlignedFace, number: int, count: int) -> Row:
        detected, target = face.detected, resample(face.image, self.resolution)
        row: Row = {"face": number, "faces": count, "quad": face.quad.flatten().numpy(), TARGET: _packed(target)}
        if detected:
            row |= {"box": detected.box.numpy(), "score": detected.score}
            row |= {"landmarks": detected.landmarks.flatten().numpy()}
        return row


@dataclass(frozen=True)
class FaceCoder:
    """Computes the codes of aligned faces in batches, and measures their reconstructions."""

    options: BulkOptions
    setup: Setup
    resolution: int
    """Side of the aligned faces in pixels."""

    @cached_property
    def _inverter(self) -> Inverter:
        return self.setup.inverter()

    @cached_property
    def _start(self) -> FaceStart:
        """Start of every face: predicted by the network, or the mean latent without one."""
        return self.setup.start.of_face(Wanted("", Path(), ""))

    def rows(self, found: Sequence[Row]) -> list[Row]:
        """Complete the rows of a `FaceFinder`; rows with errors are unchanged."""
        faces = [row for row in found if TARGET in row]
        coded: dict[int, Row] = {}
        for i in range(0, len(faces), self.options.batch):
            batch = faces[i : i + self.options.batch]
            coded |= zip(map(id, batch), self._coded(batch), strict=True)
        return [coded.get(id(row), row) for row in found]

    def _coded(self, faces: Sequence[Row]) -> list[Row]:
        """Compute the codes of faces together; if that fails, halves are tried separately."""
        known = [{name: value for name, value in face.items() if name != TARGET} for face in faces]
        try:
            found = self._codes(torch.cat([_unpacked(face[TARGET], self.resolution) for face in faces]))
        except NotFiniteError as error:
            problem = str(error)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            problem = "not enough memory to find its code"
        else:
            return [{**row, **code} for row, code in zip(known, found, strict=True)]
        if len(faces) == 1:
            # Beside the rows of the photo's other faces: it keeps its number and its place.
            return [{**known[0], "status": ERROR, "error": f"{name_of(known[0])}: {problem}"}]
        middle = len(faces) // 2
        return self._coded(faces[:middle]) + self._coded(faces[middle:])

    @torch.no_grad()
    def _codes(self, target: Tensor) -> list[Row]:
        """Compute the codes of aligned faces (N, 3, R, R), with the other columns of their records."""
        inverter, on_device = self._inverter, target.to(self.setup.components.device)
        w_plus = self.setup.start.codes(on_device, [self._start] * len(target))
        if not w_plus.isfinite().all():
            raise NotFiniteError("the code of its network is not finite")
        rows: list[Row] = [{"status": OK, "steps": 0} for _ in target]
        if inverter.iterators:
            with torch.enable_grad():
                refined = inverter.iterators.refine(on_device, w_plus)
            w_plus = refined.w_plus
            for i, row in enumerate(rows):
                steps = int(refined.steps[i])
                row |= {"steps": steps, "loss": float(refined.losses[steps, i])}
        w_plus = w_plus.half().cpu()  # as stored: metrics are those of the stored code
        identity = self._identity(target)
        for row, code, person in zip(rows, w_plus, identity, strict=True):
            row |= {"code": code.flatten().numpy(), "identity": person.numpy()} | self._provenance
        if self.options.figures:
            for row, figures in zip(rows, self._figures(w_plus, target), strict=True):
                row |= figures
        return rows

    def _figures(self, w_plus: Tensor, target: Tensor) -> list[Row]:
        """Measure the images of the stored codes, with pictures if requested."""
        device = self.setup.components.device
        codes = w_plus.to(device, torch.float32)
        parts = codes.split(1) if device.type == "cpu" else [codes]  # one by one a CPU is a little faster
        images = torch.cat([self._inverter.renderer.synthesis(part) for part in parts])
        rows: list[Row] = list(map(dict, self._evaluator.measure(images, target.to(device))))
        if self.options.pictures:
            for row, image, face in zip(rows, resample(images, self.resolution).cpu(), target, strict=True):
                row |= {CROP: jpeg_bytes(face), RECONSTRUCTION: jpeg_bytes(image)}
        return rows

    def _identity(self, target: Tensor) -> Tensor:
        found = self._evaluator.face_embedder(fixed_crop(target.to(self.setup.components.device)))
        return torch.nn.functional.normalize(found, dim=1).half().cpu()

    @cached_property
    def _evaluator(self) -> Evaluator:
        """Metrics on the device of the codes; unlike in `embed`, they may differ slightly between devices."""
        device = self.setup.components.device
        return self._inverter.evaluator if device.type == "cpu" else load_evaluator(device=device)

    @cached_property
    def _provenance(self) -> Row:
        run = self.run
        return {name: getattr(run, name) for name in ("generator", "fingerprint", "model", "version")}

    @cached_property
    def run(self) -> RecordRun:
        """Properties that all records share."""
        generator, parts = self.setup.components.generator, self.setup.components
        model = f"{parts.embedder} {parts.embedder_sha256[:12]}" if parts.embedder and parts.embedder_sha256 else ""
        dim = int(self._identity(torch.zeros(1, 3, self.resolution, self.resolution)).shape[1])
        stamp = {**self.setup.stamp(), "face": self.options.faces.face, "figures": self.options.figures}
        settings = {**stamp, **({"pictures": True} if self.options.pictures else {})}
        shape = (generator.num_ws, generator.w_dim, dim)
        return RecordRun(generator.name, generator.fingerprint, model, __version__, *shape, settings=settings)


@dataclass(frozen=True)
class PhotoCoder:
    """Computes the codes of the faces in photos: a `FaceFinder` and a `FaceCoder` with shared networks."""

    options: BulkOptions
    finder: FaceFinder = field(repr=False)
    coder: FaceCoder = field(repr=False)

    def rows(self, photos: Iterable[BulkPhoto]) -> list[Row]:
        """Create the rows of photos."""
        return self.coder.rows(self.finder.rows(photos))


def load_face_finder(options: BulkOptions) -> FaceFinder:
    """Load the face finder, on the CPU.

    Raises:
        UserError: A file cannot be used.
    """
    components = components_for(replace(options, common=replace(options.common, device="cpu")).embedding())
    return FaceFinder(options, components, min(WORKING_SIZE, components.generator.resolution))


def load_photo_coder(options: BulkOptions, components: Components | None = None) -> PhotoCoder:
    """Load the networks that compute the codes of photos.

    Args:
        options: Settings; generator, device, precision and embedder are ignored if `components` is given.
        components: Networks that are loaded already.

    Raises:
        UserError: A file cannot be used, or the generator has no network.
    """
    embedding = options.embedding()
    components = components or components_for(embedding)
    generator, resolved = components.generator, str(components.precision).removeprefix("torch.")
    # Resolved once, here: all machines of a cluster compute in the same precision, and with the same commit of the Hub.
    common = replace(options.common, generator=components.generator_source or options.common.generator)
    precision: Precision = "bfloat16" if resolved == "bfloat16" else "float32"
    embedder = components.embedder_source or options.embedder
    options = replace(options, common=common, embedder=embedder, precision=precision)
    if WORKING_SIZE in renderers_of(generator):
        embedding = replace(embedding, render=WORKING_SIZE)
    setup = set_up(embedding, components)
    resolution = min(WORKING_SIZE, generator.resolution)
    finder = FaceFinder(options, components, resolution)
    return PhotoCoder(options, finder, FaceCoder(options, setup, resolution))


def failed(row: Row, problem: str) -> Row:
    """Create the row of a photo without usable faces; its error begins with the photo's path."""
    if row["path"] not in problem:
        problem = f"{row['path']}: {problem}"
    kept: Row = {name: row[name] for name in ("path", "key", "width", "height") if name in row}
    return {**kept, "face": 0, "faces": 0, "status": ERROR, "error": problem}


def _packed(target: Tensor) -> bytes:
    return target[0].numpy().tobytes()


def _unpacked(content: bytes, resolution: int) -> Tensor:
    return torch.from_numpy(np.frombuffer(content, np.float32).reshape(1, 3, resolution, resolution).copy())

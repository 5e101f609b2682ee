"""Four nodes for ComfyUI: load a StyleGAN, find the code of a face, edit it, paste it back.

Written for ComfyUI's V3 interface. ComfyUI runs nodes in PyTorch's inference mode: nothing can be optimized in it, nor
ever with a network that was loaded in it. So each node switches it off.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

import torch
from comfy.model_management import throw_exception_if_processing_interrupted
from comfy_api.latest import ComfyAPISync, ComfyExtension, io
from torch import Tensor

import latentloop as ll
from latentloop.defaults import Mask
from latentloop.embedding.options import EmbedOptions
from latentloop.embedding.quality import Quality, preset_of
from latentloop.options import with_changes
from latentloop.photo_editing.options import parse_strengths

CATEGORY = "latentloop"
DEVICES = ["auto", "cpu", "cuda", "mps"]
PRESET = -1
"""Number of steps that stands for the quality's own."""
MAX_STEPS = 5000
MAX_FACES = 100
KEPT_MODELS = 2
"""Models that stay loaded, so that a workflow that switches between two of them does not load them anew."""

ModelType = io.Custom("LATENTLOOP_MODEL")
CodeType = io.Custom("LATENTLOOP_CODE")
ordinary_mode = torch.inference_mode(mode=False)


@dataclass(frozen=True)
class FaceCodes:
    """The code of a face in each photo of a batch, and the edits that all of them get."""

    found: tuple[ll.InvertedPhoto, ...]
    """A result for each photo, in their order."""
    strengths: Mapping[str, float] = field(default_factory=dict)
    """Strengths of the edits so far, by direction."""
    keep: tuple[str, ...] = ()
    """Directions whose attributes do not change."""


class LoadStyleGAN(io.ComfyNode):
    """Loads a generator with all that finds and edits its codes."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe inputs and outputs."""
        return io.Schema(
            node_id="LatentloopLoadStyleGAN",
            display_name="Load StyleGAN",
            category=CATEGORY,
            description="Load a StyleGAN with its embedding network. Nothing needs to be compiled.",
            inputs=[
                io.String.Input(
                    "generator",
                    default="mobile-ffhq-1024",
                    tooltip="A bundled generator, the file of a StyleGAN (1, 2 or 3), or hf://OWNER/REPO.",
                ),
                io.String.Input(
                    "embedder",
                    default="",
                    tooltip="Embedding network: a file, or hf://OWNER/REPO. Empty: the bundled one, if it fits.",
                ),
                io.Combo.Input("device", options=DEVICES, default="auto"),
            ],
            outputs=[ModelType.Output("model", display_name="model")],
        )

    @classmethod
    def fingerprint_inputs(cls, generator: str, embedder: str, device: str) -> Sequence[object]:
        """Tell whether to load again: if a file has changed."""
        return [device, *_state(generator, embedder)]

    @classmethod
    @ordinary_mode
    def execute(cls, generator: str, embedder: str, device: str) -> io.NodeOutput:
        """Load the model, unless it is loaded."""
        return io.NodeOutput(load_model(generator, embedder, device, _state(generator, embedder)))


class EmbedPhoto(io.ComfyNode):
    """Finds the StyleGAN code of a face in each photo."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe inputs and outputs."""
        return io.Schema(
            node_id="LatentloopEmbedPhoto",
            display_name="Embed Photo",
            category=CATEGORY,
            description="Find the StyleGAN code of a face (GAN inversion), and draw what the code shows.",
            inputs=[
                ModelType.Input("model"),
                io.Image.Input("image"),
                io.Combo.Input(
                    "quality",
                    options=list(get_args(Quality)),
                    default="balanced",
                    tooltip="instant: a rough code. balanced: the very person. best: closer, about twice as long.",
                ),
                io.Int.Input(
                    "steps",
                    default=PRESET,
                    min=PRESET,
                    max=MAX_STEPS,
                    tooltip="Steps of the iterator. -1: as the quality says; 0: one pass of the network.",
                ),
                io.Int.Input("face", default=1, min=1, max=MAX_FACES, tooltip="1 is the largest face of the photo."),
                io.Boolean.Input(
                    "aligned", default=False, tooltip="The image is a square, FFHQ-aligned face: do not look for one."
                ),
            ],
            outputs=[
                CodeType.Output("code", display_name="code"),
                io.Image.Output("reconstruction", display_name="reconstruction"),
                io.Image.Output("aligned_face", display_name="aligned face"),
            ],
        )

    @classmethod
    @ordinary_mode
    def execute(
        cls, model: ll.Model, image: Tensor, quality: Quality, steps: int, face: int, aligned: bool
    ) -> io.NodeOutput:
        """Find the codes of a batch of photos (B, H, W, 3) in [0, 1]."""
        options: dict[str, Any] = {"quality": quality, "steps": None if steps == PRESET else steps}
        progress = Progress(len(image), _steps(model, options))
        found = tuple(
            model.invert(photo, face=face, aligned=aligned, on_step=progress.on_step(i), **options)
            for i, photo in enumerate(from_comfy(image))
        )
        progress.finish()
        reconstructions = to_comfy([one.image.tensor for one in found])
        return io.NodeOutput(FaceCodes(found), reconstructions, to_comfy([one.aligned.tensor for one in found]))


class EditCode(io.ComfyNode):
    """Moves codes along directions."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe inputs and outputs."""
        return io.Schema(
            node_id="LatentloopEditCode",
            display_name="Edit Code",
            category=CATEGORY,
            description="Change attributes of a face. Several of these nodes in a row add up.",
            inputs=[
                ModelType.Input("model"),
                CodeType.Input("code"),
                io.String.Input(
                    "directions",
                    default="smile=1",
                    multiline=True,
                    tooltip="Directions with strengths: smile=1.5 age=-1, or FILE:NAME=1; spaces or lines between.",
                ),
                io.String.Input(
                    "keep", default="", tooltip="Directions whose attributes stay, such as: glasses gender"
                ),
            ],
            outputs=[
                CodeType.Output("edited_code", display_name="code"),
                io.Image.Output("face", display_name="face"),
            ],
        )

    @classmethod
    @ordinary_mode
    def execute(cls, model: ll.Model, code: FaceCodes, directions: str, keep: str) -> io.NodeOutput:
        """Add edits to codes, and draw the faces."""
        strengths = dict(code.strengths)
        for name, strength in parse_strengths(directions.split()).items():
            strengths[name] = strengths.get(name, 0.0) + strength
        edited = replace(code, strengths=strengths, keep=tuple(dict.fromkeys([*code.keep, *keep.split()])))
        if not strengths:
            raise ll.UserError("Edit Code needs at least one direction with its strength, such as smile=1")
        faces = [model.edit(one.code, strengths, keep=edited.keep).face.tensor for one in edited.found]
        return io.NodeOutput(edited, to_comfy(faces))


class PasteBack(io.ComfyNode):
    """Puts edited faces back into their photos."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Describe inputs and outputs."""
        return io.Schema(
            node_id="LatentloopPasteBack",
            display_name="Paste Back",
            category=CATEGORY,
            description="Put the edited face where it came from, at the photo's full size.",
            inputs=[
                ModelType.Input("model"),
                CodeType.Input("code"),
                io.Image.Input("image", tooltip="The photo that was embedded, of the same size."),
                io.Combo.Input(
                    "mask",
                    options=list(get_args(Mask)),
                    default="change",
                    tooltip="Part that is replaced: what the edit changed, all of the head, or the aligned square.",
                ),
            ],
            outputs=[io.Image.Output("photo", display_name="photo")],
        )

    @classmethod
    @ordinary_mode
    def execute(cls, model: ll.Model, code: FaceCodes, image: Tensor, mask: Mask) -> io.NodeOutput:
        """Paste the faces of codes into a batch of photos (B, H, W, 3) in [0, 1]."""
        if not code.strengths:
            raise ll.UserError("the code is not edited: put Edit Code between Embed Photo and Paste Back")
        if len(image) != len(code.found):
            raise ll.UserError(f"the code is of {len(code.found)} photos, the image has {len(image)}")
        render, pasted = ll.RenderOptions(mask=mask), []
        for found, photo in zip(code.found, from_comfy(image), strict=True):
            there = replace(found, origin=ll.Picture.of(photo))
            pasted.append(model.edit(there, code.strengths, keep=code.keep, render=render).photo.tensor)
        return io.NodeOutput(to_comfy(pasted))


@dataclass(frozen=True)
class Progress:
    """Shows ComfyUI how far a batch is."""

    photos: int
    steps: int
    """Steps that each photo takes, about."""
    api: ComfyAPISync = field(default_factory=ComfyAPISync)
    """ComfyUI."""

    def on_step(self, photo: int) -> Callable[[int, Tensor], None]:
        """Make the callback of a photo; it raises ComfyUI's exception once the user has cancelled."""

        def show(step: int, _: Tensor) -> None:
            throw_exception_if_processing_interrupted()  # which nothing else here does
            self._show(photo * self.steps + min(step, self.steps))

        return show

    def finish(self) -> None:
        """Show that all is done."""
        self._show(self.photos * self.steps)

    def _show(self, done: int) -> None:
        self.api.execution.set_progress(value=done, max_value=max(self.photos * self.steps, 1))


class LatentloopExtension(ComfyExtension):
    """The nodes of this folder."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """List the nodes."""
        return [LoadStyleGAN, EmbedPhoto, EditCode, PasteBack]


async def comfy_entrypoint() -> LatentloopExtension:
    """Give ComfyUI the extension."""
    return LatentloopExtension()


@lru_cache(maxsize=KEPT_MODELS)
def load_model(generator: str, embedder: str, device: str, _state_of_files: tuple[object, ...]) -> ll.Model:
    """Load a model once, as long as its files stay as they are."""
    model = ll.load(generator.strip(), embedder=embedder.strip() or None, device=device)
    _ = model.components.generator  # here, so that this node says what is wrong with it
    return model


def from_comfy(image: Tensor) -> list[Tensor]:
    """Take a batch (B, H, W, 3 or more) in [0, 1] apart into photos (1, 3, H, W) in [-1, 1], without transparency."""
    return list((image[..., :3].clone().movedim(-1, 1) * 2 - 1).clamp(-1, 1).split(1))


def to_comfy(images: Sequence[Tensor]) -> Tensor:
    """Put pictures (1, 3, H, W) in [-1, 1] together in a batch (B, H, W, 3) in [0, 1]."""
    return ((torch.cat(list(images)) + 1) / 2).clamp(0, 1).movedim(1, -1).contiguous().cpu()


def _steps(model: ll.Model, options: Mapping[str, Any]) -> int:
    """Steps of an inversion with these options, those of a refinement among them."""
    near = model.components.embedder is not None
    filled = with_changes(EmbedOptions(), options).filled(preset_of(options["quality"], near=near))
    return (filled.search.steps or 0) + filled.beyond.steps


def _state(*names: str) -> tuple[object, ...]:
    """Names, and when the files of these names were changed last."""
    files = [Path(name.strip()) for name in names]
    return (*names, *(file.stat().st_mtime_ns if file.is_file() else None for file in files))

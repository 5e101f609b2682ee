"""The main class of the package: a generator with everything that inverts and edits photos, in one object."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from latentloop.allocator import keep_freed_memory
from latentloop.bulk import BulkOptions, record_dataset
from latentloop.common import Common
from latentloop.defaults import GENERATOR, SAMPLE_PSI, Precision, Which
from latentloop.embedding import Components, Embedded, Failed, embed_files, load_components, set_up
from latentloop.embedding.options import EmbedOptions
from latentloop.embedding.outcomes import successes
from latentloop.embedding.quality import Quality
from latentloop.embedding.record import photo_entry, record_code
from latentloop.embedding.starts import Wanted
from latentloop.faces import AlignedFace, align_faces, already_aligned
from latentloop.hub import local_codes
from latentloop.inversion.iterator import OnCode, OnImage, OnStep
from latentloop.latents import Code, sample_codes
from latentloop.latents.sampling import one_code
from latentloop.options import check_kind, check_path, check_seed, with_changes
from latentloop.photo_editing.applied_directions import record_edit, resolve_directions, wanted_strengths
from latentloop.photo_editing.editor import make_editor
from latentloop.photo_editing.options import RenderOptions
from latentloop.photo_editing.refined_subjects import with_refinements
from latentloop.photo_editing.rendered_edit import render_edit
from latentloop.photo_editing.subjects import Subject, is_coded, subject_of_codes, subjects_of
from latentloop.pictures.inputs import PictureLike, as_image
from latentloop.pictures.picture import Picture
from latentloop.results import EditedPhoto, InvertedPhoto

if TYPE_CHECKING:
    from ray.data import Dataset

FIXED = dict.fromkeys(("generator", "which", "device", "precision", "embedder"), "latentloop.load")
"""Options that `load` fixes for all later calls, and the name of the function to set them."""


class Model:
    """A generator with everything that finds, draws and edits its codes; create it with `load`.

    Networks are loaded when they are first needed.
    """

    def __init__(self, components: Components) -> None:
        self.components = components

    def __repr__(self) -> str:
        parts, generator = self.components, self.components.generator
        precision = str(parts.precision).removeprefix("torch.")
        return (
            f"Model({generator.name!r}, resolution={generator.resolution}, embedder={parts.embedder!r}, "
            f"device={str(parts.device)!r}, precision={precision!r})"
        )

    def invert(
        self,
        photo: PictureLike,
        *,
        quality: Quality = "balanced",
        steps: int | None = None,
        face: str | int = "largest",
        aligned: bool = False,
        on_step: OnStep | None = None,
        on_code: OnCode | None = None,
        on_image: OnImage | None = None,
        **options: Any,  # noqa: ANN401 - each option has a type of its own
    ) -> InvertedPhoto:
        """Find the code of a face in a photo (GAN inversion).

        Args:
            photo: Path of an image; a Pillow image; an array (H, W, 3) of uint8; or a tensor (3, H, W) in [-1, 1].
            quality: Preset: "instant", "balanced" (with a refinement beyond the code) or "best".
            steps: Steps of the iterator, instead of the quality's: more are closer, but edit less well. 0 is one pass.
            face: Face to use if there are several: "largest", or a number (1 is the largest).
            aligned: The photo is already square and aligned as FFHQ: skip face detection.
            on_step: Called at the start and after each step with the steps done and the best loss so far, (1,).
            on_code: Called before that with the best code so far, (1, num_ws, w_dim).
            on_image: Called before each step of a refinement beyond the code with its current image, (1, 3, R, R).
            options: Further options of `latentloop embed`, with underscores: lr, start, seed, lambda_identity ...

        Raises:
            UserError: The photo cannot be used, has no such face, or a file cannot be read.
            TypeError: An option is unknown, or a value has the wrong type.
            ValueError: An option or the photo has an invalid value.
        """
        if str(face) == "all":
            raise ValueError("face must be largest or a number; for all faces of a photo use invert_files")
        changed = self._options({"quality": quality, "steps": steps, "face": str(face), "aligned": aligned, **options})
        path = Path(photo) if isinstance(photo, str | PathLike) else None
        image = as_image(photo, max_pixels=changed.faces.max_pixels)
        setup = set_up(changed, self.components, photos=[path] if path else [], warn=_warn)
        inverter, name = setup.inverter(), path.stem if path else "photo"
        file = photo_entry(path) if path else None
        start = setup.start.of_face(Wanted(name, path or Path(name), file["sha256"] if file else ""))
        codes, aligned_face = setup.start.codes, self._face(image, changed)
        (found,) = inverter.invert([aligned_face], lambda target: codes(target, [start]), on_step, on_code, on_image)
        size = (image.shape[-1], image.shape[-2])
        code = record_code(inverter, found, aligned_face, size, file, {**setup.stamp(), **start.stamp})
        return InvertedPhoto.of(name, found, aligned_face, image, code)

    def invert_files(
        self,
        photos: str | PathLike[str] | Sequence[str | PathLike[str]],
        out: str | PathLike[str] = "embedded",
        *,
        force: bool = False,
        on_step: OnStep | None = None,
        on_failure: Callable[[Failed], None] | None = None,
        **options: Any,  # noqa: ANN401 - each option has a type of its own
    ) -> Iterator[Embedded]:
        """Find the codes of many photos, as `latentloop embed` does; yields each face once its files are on disk.

        Args:
            photos: Image files, folders and globs.
            out: Folder for the codes, the reconstructions and a report; finished results in it are kept.
            force: Recompute finished results.
            on_step: Called after each step of the iterator.
            on_failure: Called with each photo that cannot be used; the default issues a warning.
            options: Options of `EmbedOptions` by name, such as `steps=100`, `batch=8` or `face="all"`.

        Raises:
            UserError: No photo is named, or the folder cannot be written to.
            TypeError: An option is unknown, or a value has the wrong type.
            ValueError: `photos` or `out` is not a path.
        """
        check_kind("photos", photos, (str, PathLike, Iterable), "a path or several")
        named = [photos] if isinstance(photos, str | PathLike) else list(photos)
        for path in (*named, out):
            check_path(path, name="each of photos, and out,")
        paths, parts, changed = [fspath(photo) for photo in named], self.components, self._options(options)
        run = embed_files(paths, Path(out), changed, components=parts, force=force, warn=_warn)
        return successes(run.outcomes(on_step), on_failure or (lambda failed: _warn(failed.reason)))

    def invert_dataset(
        self,
        photos: str | PathLike[str] | Sequence[str | PathLike[str]],
        **options: Any,  # noqa: ANN401 - each option has a type of its own
    ) -> "Dataset":
        """Find the codes of very many photos, as a Ray dataset that is computed when it is read.

        Its rows have the columns of `latentloop.records.COLUMNS`, in any order.

        Args:
            photos: Image files, folders, globs, .tar, .parquet and .txt files, as for `latentloop bulk`.
            options: Options of `BulkOptions` by name, such as `workers=4`, `quality="instant"` or `face="all"`.

        Raises:
            UserError: No photo is named, or Ray is not installed or does not start.
        """
        named = [photos] if isinstance(photos, str | PathLike) else photos
        own = BulkOptions(common=self._common, embedder=self.components.embedder_file)
        changed = with_changes(own, options, fixed=FIXED)
        return record_dataset([fspath(photo) for photo in named], changed, self.components)

    def edit(
        self,
        photo: InvertedPhoto | EditedPhoto | Code | PictureLike,
        strengths: Mapping[str, float] | None = None,
        /,
        *,
        keep: Sequence[str] = (),
        layers: str | None = None,
        render: RenderOptions | None = None,
        **directions: float,
    ) -> EditedPhoto:
        """Change attributes of a face, and paste it back into its photo.

        Args:
            photo: A result of `invert` or `edit`; a photo, which is inverted first; a code file, its content from
                `load_code`, or "seed:7" for a random face. Refinements beyond the code are kept.
            strengths: Directions by name, or as FILE:NAME, with strengths; in addition to `directions`.
            keep: Directions whose attributes should not change.
            layers: Layers that change: coarse, middle, fine, all, or numbers such as "0-3,7"; by default each
                direction's own.
            render: Settings of drawing and pasting.
            directions: Strengths by the directions' names, such as `smile=1.5`: 1 is a clear change, 0 none, negative
                values do the opposite. `latentloop.list_directions` lists the names.

        Raises:
            UserError: A direction is unknown, or the photo cannot be used.
            TypeError: No direction is given, or a name is an option of `invert`.
            ValueError: A strength is not finite, or `strengths`, `keep` or `render` has the wrong type.
        """
        check_kind("keep", keep, (list, tuple), "a list of directions")
        check_kind("render", render or RenderOptions(), RenderOptions, "RenderOptions")
        wanted = wanted_strengths(strengths or {}, directions)
        generator = self.components.generator
        with self.components.reads:
            applied = resolve_directions(list(wanted.items()), generator, keep=keep, layers=layers)
        subject = self._subject(photo)
        editor = make_editor(render or RenderOptions(), self.components.renderer)
        details = record_edit(wanted, keep=keep, layers=layers)
        edit = render_edit(editor, subject, applied.apply(subject.w_plus), generator, details)
        return EditedPhoto.of(subject, edit, wanted)

    def sample(self, seed: int = 0, *, truncation_psi: float = SAMPLE_PSI) -> Picture:
        """Draw a random face.

        Args:
            seed: Seed of the random z; the image is the same on every device.
            truncation_psi: 1 for the generator's full variety, 0 for the mean face.

        Raises:
            ValueError: The seed is invalid, or psi is not finite.
        """
        check_seed(seed)
        randomness = torch.Generator().manual_seed(seed)
        generator = self.components.generator
        return self.draw(sample_codes(generator, 1, randomness=randomness, truncation_psi=truncation_psi))

    @torch.no_grad()
    def draw(self, code: Tensor | Code) -> Picture:
        """Draw a code as a picture.

        Args:
            code: Styles (num_ws, w_dim) or (1, num_ws, w_dim); or the content of a code file, with its refinement.

        Raises:
            ValueError: The code has another shape, or is not finite.
            UserError: The content of the file belongs to another generator.
        """
        renderer = self.components.renderer()
        if not isinstance(code, Code):
            return Picture.of(renderer.synthesis(one_code(code, renderer)))
        subject = self._subject(code)
        return Picture.of((next(iter(subject.drawn_by), None) or renderer).synthesis(subject.w_plus))

    @property
    def _common(self) -> Common:
        parts = self.components
        return Common(generator=parts.generator_file, which=parts.which, device=str(parts.device))

    def _options(self, changes: Mapping[str, Any]) -> EmbedOptions:
        return with_changes(EmbedOptions(common=self._common), changes, fixed=FIXED)

    def _face(self, image: Tensor, options: EmbedOptions) -> AlignedFace:
        size = self.components.renderer().resolution
        if options.faces.aligned:
            return already_aligned(image, size)
        return align_faces(image, self.components.detector, size, face=options.faces.face)[0]

    def _subject(self, photo: InvertedPhoto | EditedPhoto | Code | PictureLike) -> Subject:
        generator = self.components.generator
        photo = local_codes(photo) if isinstance(photo, str | PathLike) else photo
        if isinstance(photo, Code):
            return with_refinements(subject_of_codes("code", [photo], generator), self.components)
        if isinstance(photo, str | PathLike) and is_coded(fspath(photo)):
            return with_refinements(subjects_of(fspath(photo), generator)[0], self.components)
        found = photo if isinstance(photo, InvertedPhoto | EditedPhoto) else self.invert(photo)
        origin = found.origin.tensor if found.origin else None
        aligned = [found.aligned.tensor] if isinstance(found, InvertedPhoto) else []
        subject = subject_of_codes(found.name, [found.code], generator, photo=origin, aligned=aligned)
        drawn = (found.image.tensor,) if isinstance(found, InvertedPhoto) else ()
        return with_refinements(replace(subject, reconstructions=drawn), self.components)


def load(
    generator: str | PathLike[str] = GENERATOR,
    *,
    which: Which = "g_ema",
    embedder: str | PathLike[str] | None = None,
    device: str = "auto",
    precision: Precision = "auto",
) -> Model:
    """Load a generator with everything that inverts and edits photos, with the best settings for this machine.

    Args:
        generator: A bundled generator (`latentloop.list_generators` lists the names), or the file of a StyleGAN: ours,
            or .pkl, .pt or .pth as its project wrote it; also as `hf://OWNER/REPO[/FILE][@REVISION]`.
        which: Weights to read if a file has both: "g_ema", their running mean, or "g", the weights as trained.
        embedder: Embedding network: a bundled one, a file from `latentloop.train`, or a checkpoint of pSp, e4e or
            ReStyle. Default: the one bundled for the generator, if there is one.
        device: auto (CUDA, then Apple's MPS, then CPU), cpu, cuda, cuda:1, mps ...
        precision: Precision of the iterator: auto is bfloat16 on a CPU with bfloat16 instructions, otherwise float32.

    Raises:
        UserError: A file or the device does not exist, or a file cannot be used.
        ValueError: An argument has the wrong type.
    """
    check_path(generator, name="generator")
    check_path(embedder or "", name="embedder")
    keep_freed_memory()
    network = fspath(embedder) if embedder else None
    components = load_components(fspath(generator), which=which, device=device, precision=precision, embedder=network)
    _ = components.generator if embedder is None else components.encoder  # loaded now, so that errors come early
    return Model(components)


def _warn(text: object) -> None:
    warnings.warn(str(text), stacklevel=3)

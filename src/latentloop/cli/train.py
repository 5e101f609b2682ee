"""`latentloop train`."""

import json
from dataclasses import asdict, dataclass, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from latentloop.cli.options import Common
from latentloop.defaults import Precision
from latentloop.encoders.config import PRESETS
from latentloop.losses.config import LossConfig
from latentloop.training.collaboration_config import CollaborationConfig
from latentloop.training.train_config import TrainConfig

if TYPE_CHECKING:
    import torch

    from latentloop.encoders import Embedder, EmbedderConfig
    from latentloop.generators import Generator
    from latentloop.training.collaboration import Collaboration
    from latentloop.training.pending import PendingCodes
    from latentloop.training.photos import PhotoSet
    from latentloop.training.processes import Processes
    from latentloop.training.run import TrainJob
    from latentloop.training.validation import Validation


@dataclass(frozen=True)
class Train:
    """Train an embedding network, which finds a photo's code in one pass, for any generator.

    An iterator betters what the network says of each photo, the best code found so far teaches it (Guan et al.,
    arXiv:2007.01758). Images that the generator draws of known codes are mixed in; without --data it learns from them
    alone. The folder --out gets best.safetensors (the network, for embed --embedder), last.safetensors,
    validation.png (photo, one pass, with the iterator), log.jsonl, tensorboard/ (where TensorBoard is installed),
    codes.cache (the best code of each photo), config.json and checkpoints/. Ctrl-C saves and stops; the same command,
    or --resume, goes on exactly there.

    Photos of faces, aligned as in FFHQ: latentloop train --data faces/ --validation held-out/ --out run

    A stopped run: latentloop train --resume run

    No faces, tar files: latentloop train --generator yours.safetensors --identity none --data "shards/*.tar"

    Several GPUs: accelerate launch -m latentloop train --data faces/ --batch 64 --precision bfloat16
    """

    data: tuple[str, ...] = ()
    """Square, aligned photos to learn from: folders, quoted globs ("faces/**/*.png"), uncompressed tar files."""
    validation: tuple[str, ...] = ()
    """Photos to measure on, and never to learn from; without any, images that the generator draws."""
    validation_images: int = 64
    """Measure on so many of them."""
    out: Path = Path("trained")
    """Folder for the results."""
    resume: str | None = None
    """A run's folder, to go on with all its settings."""
    common: Common = Common()
    quick: str | None = None
    """A quicker generator of the same codes, such as latentloop distill makes: its images are compared, and the
    iterator runs on it. --generator still draws the images to learn from, and is measured."""
    preset: Literal["small", "paper"] = "small"
    """Size of the network: 6 or 32 million weights."""
    identity: Literal["mobilefacenet", "none"] = "mobilefacenet"
    """Face-recognition network that guides it; none for what is no face."""
    head: Literal["tree", "dense"] = "tree"
    """Its last layers: TreeConnect, or a fully connected one."""
    start: str | None = None
    """A network to begin with, one we ship or a file; a run that goes on needs it no more."""
    config: TrainConfig = TrainConfig()
    collaboration: CollaborationConfig = CollaborationConfig()
    loss: LossConfig = LossConfig()
    codes: str | None = None
    """File of the best codes, such as an earlier run's, which this run goes on using and writing; by default
    codes.cache in the folder."""
    precision: Precision = "auto"
    """Of the arithmetic; weights stay in float32. auto is bfloat16 on a CPU that multiplies it by itself, else
    float32."""
    save_every: int = 100
    """Steps."""
    keep: int = 2
    """Last checkpoints to keep, beside that of the best network."""

    def __post_init__(self) -> None:
        for name in ("save_every", "keep", "validation_images"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if self.preset not in PRESETS:
            raise ValueError(f"preset must be one of {', '.join(PRESETS)}, got {self.preset}")
        if self.resume is not None and replace(self, resume=None) != Train():
            raise ValueError("resume takes all settings from the run; leave out the other options")
        if self.data and self.config.synthetic == 1:
            raise ValueError("with synthetic 1 nothing is learned from data; leave it out")
        if self.codes and not self.collaboration.cache:
            raise ValueError("codes are for a run with a cache")

    def run(self) -> int:
        """Train, with a line on stdout each time the run is saved; returns 130 if it was stopped."""
        from latentloop.cli.console import say
        from latentloop.cli.stopping import stop_signals
        from latentloop.cli.train_progress import TrainProgress

        if self.resume is not None:
            return _read_settings(Path(self.resume)).run()
        with stop_signals() as stopping:
            job = self._job()
            job.stopping = stopping
            job.resume()
            if job.trainer.processes.index:
                for _ in job.run():
                    pass
                return 0 if job.finished else 130
            self._write_settings()
            with TrainProgress(self.config.steps, job.trainer.step, self.config.batch) as progress:
                for told, line in job.run():
                    progress.step(told)
                    if line:
                        say("  ".join(f"{name} {value:.4g}" for name, value in line.items()))
        for reason in (job.trainer.photos.skipped if job.trainer.photos else {}).values():
            say(f"latentloop: not learned from: {reason}", error=True)
        if not job.finished:
            say(f"latentloop: stopped; step {job.trainer.step} is saved, go on: latentloop train --resume {self.out}")
            return 130
        say(job.result)
        return 0

    def _job(self) -> "TrainJob":
        from latentloop.devices import find_device, find_precision, repeatable_arithmetic
        from latentloop.generators import load_generator, low_precision
        from latentloop.training.processes import Accelerated, find_processes
        from latentloop.training.run import Saving, TrainJob, last_checkpoint
        from latentloop.training.trainer import Trainer

        repeatable_arithmetic()
        device = find_device(self.common.device)
        dtype = find_precision(self.precision, device)
        processes = find_processes(device, dtype)
        if isinstance(processes, Accelerated):
            device = processes.device
        going_on = last_checkpoint(self.out) is not None
        generator = load_generator(self.common.generator, device=device)
        embedder = self._embedder(generator, going_on=going_on)
        resolution = embedder.config.resolution
        held_out = self._held_out(resolution)
        photos = self._photos(resolution)
        drawing = low_precision(generator, dtype)
        teaching = low_precision(self._quick(generator), dtype) if self.quick else drawing
        collaboration = self._collaboration(teaching, embedder, dtype, processes)
        return TrainJob(
            trainer=Trainer(collaboration, self.config, self.common.seed, photos, processes, drawing),
            validation=self._validation(collaboration, drawing, held_out) if processes.index == 0 else None,
            folder=self.out,
            settings=self._settings(photos, held_out, dtype, device),
            saving=Saving(self.save_every, self.keep),
        )

    def _quick(self, generator: "Generator") -> "Generator":
        from latentloop.errors import UserError
        from latentloop.generators import load_generator

        quick = load_generator(str(self.quick), device=generator.device)
        if (quick.fingerprint, quick.num_ws) != (generator.fingerprint, generator.num_ws):
            raise UserError(f"{self.quick}: draws other codes than {generator.name}")
        return quick

    def _embedder(self, generator: "Generator", *, going_on: bool) -> "Embedder":
        """The network to begin with; where a run goes on, what it begins with does not matter any more."""
        from latentloop.encoders import load_embedder, make_embedder

        config = self._network(generator)
        embedder = make_embedder(config, generator, seed=self.common.seed)
        if self.start and not going_on:
            begun = load_embedder(self.start, generator)
            _check_same_network(self.start, begun.config, config)
            embedder.load_state_dict(begun.state_dict())
        return embedder

    def _network(self, generator: "Generator") -> "EmbedderConfig":
        from latentloop.errors import UserError

        resolution = min(PRESETS[self.preset].resolution, generator.resolution)
        try:
            return replace(PRESETS[self.preset], resolution=resolution, identity=self.identity, head=self.head)
        except ValueError as error:
            raise UserError(f"no network for {generator.name}: {error}") from error

    def _photos(self, resolution: int) -> "PhotoSet | None":
        """Photos to learn from; those to measure on are left out."""
        from latentloop.errors import UserError
        from latentloop.photos.find import find_training_photos
        from latentloop.training.photos import PhotoSet

        if not self.data:
            return None
        held_out = {source.place for source in find_training_photos(self.validation)}
        sources = [source for source in find_training_photos(self.data) if source.place not in held_out]
        if not sources:
            raise UserError("all photos of --data are in --validation, too: nothing is left to learn from")
        photos = PhotoSet(sources, resolution)
        photos.load([0])  # if none can be used, say so before anything is written
        return photos

    def _held_out(self, resolution: int) -> "PhotoSet | None":
        """Photos to measure on, evenly chosen; None for images that the generator draws."""
        from latentloop.photos.find import find_training_photos
        from latentloop.training.photos import PhotoSet

        if not self.validation:
            return None
        sources = find_training_photos(self.validation)
        count = min(self.validation_images, len(sources))
        photos = PhotoSet([sources[i * len(sources) // count] for i in range(count)], resolution)
        photos.load([0])  # if none can be used, say so before anything is written
        return photos

    def _collaboration(
        self, generator: "Generator", embedder: "Embedder", dtype: "torch.dtype", processes: "Processes"
    ) -> "Collaboration":
        from latentloop.errors import UserError
        from latentloop.features.lpips import SMALLEST, load_lpips
        from latentloop.features.mobilefacenet import load_mobilefacenet
        from latentloop.losses import iterator_loss
        from latentloop.metrics import identity_similarity
        from latentloop.training.collaboration import Collaboration

        size = min(self.collaboration.resolution, generator.resolution)
        if size > embedder.config.resolution or generator.resolution % size:
            finest = f"and at most the network's {embedder.config.resolution}"
            raise UserError(f"resolution must divide the generator's {generator.resolution} {finest}, got {size}")
        if size < SMALLEST and (self.loss.lambda_lpips or self.collaboration.lambda_per):
            raise UserError(f"LPIPS takes images of {SMALLEST} pixels or more, not {size}; see --resolution")
        device = generator.device
        lpips = load_lpips(self.loss.lpips_net, device=device, dtype=dtype)
        weighs_faces = self.collaboration.lambda_id > 0
        return Collaboration(
            embedder=embedder,
            generator=generator,
            loss=iterator_loss(self.loss, lpips=lpips),
            perceptual=lpips,
            config=self.collaboration,
            cache=self._cache(generator, size, dtype, processes),
            mixed_precision=processes.mixed_precision,
            similarity=partial(identity_similarity, embed=load_mobilefacenet(device=device)) if weighs_faces else None,
        )

    def _cache(
        self, generator: "Generator", resolution: int, dtype: "torch.dtype", processes: "Processes"
    ) -> "PendingCodes | None":
        from latentloop.cache import CodeCache, CodeSpace
        from latentloop.generators.registry import weights_checksum
        from latentloop.training.pending import PendingCodes

        if not self.collaboration.cache:
            return None
        weights = weights_checksum(self.quick or self.common.generator)
        drawn = {"weights_sha256": weights, "precision": _name(dtype), "resolution": resolution}
        loss = {**asdict(self.loss), **drawn}
        space = CodeSpace(generator.fingerprint, generator.num_ws, generator.w_dim, loss)
        return PendingCodes(CodeCache(Path(self.codes) if self.codes else self.out / "codes.cache", space), processes)

    def _validation(
        self, collaboration: "Collaboration", drawing: "Generator", held_out: "PhotoSet | None"
    ) -> "Validation":
        from latentloop.cli.console import say
        from latentloop.training.validation import Validation, unseen_images

        resolution = self._network(drawing).resolution
        if held_out:
            images, _ = held_out.load(range(len(held_out)))
            for reason in held_out.skipped.values():
                say(f"latentloop: not measured on: {reason}", error=True)
        else:
            images = unseen_images(drawing, self.validation_images, resolution)
        full = replace(collaboration, generator=drawing, config=replace(self.collaboration, resolution=resolution))
        return Validation(images.to(drawing.device), full, batch=self.config.batch)

    def _settings(
        self, photos: "PhotoSet | None", held_out: "PhotoSet | None", dtype: "torch.dtype", device: "torch.device"
    ) -> dict[str, Any]:
        """What the course of the run, and what it says of itself, depend on."""
        from latentloop.generators.registry import weights_checksum

        return {
            **asdict(self.config),
            **asdict(self.collaboration),
            **asdict(self.loss),
            "generator_sha256": weights_checksum(self.common.generator),
            "quick_sha256": weights_checksum(self.quick) if self.quick else None,
            "preset": self.preset,
            "identity": self.identity,
            "head": self.head,
            "data": photos.digest() if photos else None,
            "validation": held_out.digest() if held_out else self.validation_images,
            "seed": self.common.seed,
            "precision": _name(dtype),
            "device": device.type,
        }

    def _write_settings(self) -> None:
        from latentloop.files import replacing
        from latentloop.training.run import SETTINGS

        with replacing(self.out / SETTINGS) as part:
            part.write_text(json.dumps(asdict(self._from_anywhere()), indent=2, default=str) + "\n", encoding="utf-8")

    def _from_anywhere(self) -> "Train":
        """The same with absolute paths."""

        def absolute(path: str | None) -> str | None:
            return str(Path(path).absolute()) if path and (Path(path).exists() or path is self.codes) else path

        generator = absolute(self.common.generator) or self.common.generator
        return replace(
            self,
            data=tuple(str(Path(argument).absolute()) for argument in self.data),
            validation=tuple(str(Path(argument).absolute()) for argument in self.validation),
            common=replace(self.common, generator=generator),
            quick=absolute(self.quick),
            start=absolute(self.start),
            codes=absolute(self.codes),
        )


def _read_settings(folder: Path) -> Train:
    from latentloop.errors import UserError
    from latentloop.training.run import SETTINGS

    path = folder / SETTINGS
    try:
        train: Train = _like(Train(), json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{path}: cannot read a run's settings: {error.strerror or error}") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not the settings of a run: {error}") from error
    return replace(train, out=folder)  # wherever it has been moved to


def _like(default: Any, value: Any) -> Any:  # noqa: ANN401 - whatever settings are made of
    """A value out of JSON in the type of a default; what it lacks is as there."""
    if is_dataclass(default) and not isinstance(default, type):
        known = {name: _like(getattr(default, name), item) for name, item in value.items()}
        return replace(default, **known)
    if isinstance(default, Path | tuple):
        return type(default)(value)
    return value


def _check_same_network(name: str, found: "EmbedderConfig", wanted: "EmbedderConfig") -> None:
    from latentloop.errors import UserError

    for option in asdict(wanted):
        theirs, ours = getattr(found, option), getattr(wanted, option)
        if theirs != ours:
            raise UserError(
                f"{name}: a network with {option} {theirs}, not {ours}; see --preset, --identity and --head"
            )


def _name(dtype: "torch.dtype") -> str:
    return str(dtype).removeprefix("torch.")

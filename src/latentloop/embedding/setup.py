"""Setup of embedding: from options to networks, start and job."""

from collections.abc import Callable, Sequence, Set
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from latentloop.defaults import WORKING_SIZE
from latentloop.embedding.beyond import beyond_refiner, refining_loss
from latentloop.embedding.components import Components
from latentloop.embedding.inverter import Inverter
from latentloop.embedding.job import EmbedJob
from latentloop.embedding.options import EmbedOptions, Method
from latentloop.embedding.outcomes import once
from latentloop.embedding.quality import ONE_PASS, Preset, preset_of
from latentloop.embedding.result_folder import ResultFolder
from latentloop.embedding.starts import FolderStart, NetworkStart, Start, chosen_start, network_start
from latentloop.generators import Generator, compiled, low_precision
from latentloop.generators.registry import draws_faces, weights_checksum
from latentloop.inversion import (
    CodePrior,
    FeatureEncoder,
    IteratorChain,
    IteratorConfig,
    LatentIterator,
    PerceptualMetric,
    code_prior,
)
from latentloop.losses import full_size_loss
from latentloop.stamps import stamp_of

REPAYS = 3000
"""Number of iterator steps from which compiling pays off, measured on two CPU cores."""
METRIC_REPAYS = 5000
"""Number of iterator steps from which halving them saves more than measuring a metric costs."""
NEARER = 0.5
"""Factor on the step size of final steps after a far start: by then the code is near."""
FULL_SIZE_WEIGHT = 1.0
"""Weight of the full-size crops, relative to the loss of the whole image."""


@dataclass(frozen=True)
class Setup:
    """Options of embedding with all networks chosen, ready to run."""

    options: EmbedOptions
    """Options with the method resolved, and with the preset's values for options not given."""
    components: Components
    start: Start
    warn: Callable[[str], None]
    """Called with warnings about requests that cannot be met but do not stop the job."""

    @property
    def config(self) -> IteratorConfig:
        """Settings of the iterator; with method embed its steps are 0."""
        config = self.options.step.applied(self.options.search.sizes(self.preset))
        return replace(config, steps=0) if self.options.method == "embed" else config

    @property
    def preset(self) -> Preset:
        """Preset that fits quality, start and generator."""
        options = self.options
        if options.method == "embed":
            return ONE_PASS
        predicted = self._feature_encoder is not None
        preset = preset_of(options.search.quality, near=self.start.near, predicted=predicted)
        return preset.suited(
            metric=bool(self._suits_metric and self.components.metric),
            faces=not options.faces.aligned or draws_faces(self.components.generator),
        )

    @property
    def _feature_encoder(self) -> FeatureEncoder | None:
        """Network that predicts the refinement, if features are refined, or may be where the options leave it open."""
        refines = self.options.beyond.refine in (None, "features")
        return self.components.feature_encoder(self.renderer) if refines else None

    @property
    def renderer(self) -> Generator:
        """Generator that draws the reconstructions."""
        render = self.options.render
        return self.components.renderer(None if render == "largest" else render)

    @property
    def drawing(self) -> Generator:
        """Generator that the iterator takes its steps on."""
        return self.components.quick if self.preset.quick else self.components.drawing

    @property
    def _finest(self) -> Generator:
        """Renderer in the precision of the iterator."""
        parts = self.components
        return parts.drawing if self.renderer is parts.generator else low_precision(self.renderer, parts.precision)

    def inverter(self, photos: int = 1) -> Inverter:
        """Create the inverter for a number of photos, on which compiling and the hint about a metric depend."""
        parts = self.components
        needed = self._takes_steps or self.config.space == "w"
        iterators = self._iterators(photos) if needed else None
        show_start = self.options.method == "hybrid" and self.preset.shows_start
        last, beyond, loss = self._full_size(), self.options.beyond, refining_loss(self.options.loss)
        encoder = self._feature_encoder
        refines = bool(beyond.steps or encoder)
        refiner = beyond_refiner(beyond, parts.loss(loss), self.renderer, encoder) if refines else None
        return Inverter(parts.generator, iterators, self.renderer, parts.evaluator, last, refiner, show_start)

    @property
    def iterator(self) -> LatentIterator:
        """Iterator without polishing and full-size steps."""
        loss = self.components.loss(self.options.loss)
        return LatentIterator(self.drawing, loss, self.config, self._prior, self._metric)

    def _iterators(self, photos: int) -> IteratorChain:
        first = self.iterator
        if self._asks_for_metric and not self._metric and photos * first.config.steps >= METRIC_REPAYS:
            self.warn(f"a metric would halve the steps needed: latentloop metric {self.components.generator_file}")
        drawing, loss = self._compiled(first.generator, photos * first.config.steps), first.loss
        iterators = [replace(first, generator=drawing)]
        if polish := self.options.polish:
            # The generator of the first steps is used again if it is the renderer, compiled or not.
            own = self.renderer is self.components.generator and drawing.resolution == self.renderer.resolution
            finest = drawing if own else self._compiled(self._finest, photos * polish)
            iterators.append(LatentIterator(finest, loss, self._last(polish), self._prior, self._metric))
        return IteratorChain(iterators)

    def _full_size(self) -> LatentIterator | None:
        parts, loss = self.components, self.options.loss
        if not self.options.full_size_steps:
            return None
        compared = full_size_loss(
            parts.loss(loss),
            parts.loss(replace(loss, lambda_identity=0.0)),  # identity networks need a whole face, not a crop
            weight=FULL_SIZE_WEIGHT,
            working_size=WORKING_SIZE,
        )
        last = self._last(self.options.full_size_steps)
        return LatentIterator(self._finest, compared, last, self._prior, self._metric)

    def _last(self, steps: int) -> IteratorConfig:
        """Settings of additional steps after those of the iterator."""
        config = self.config.polish(steps)
        return config if self.start.near else replace(config, lr=NEARER * config.lr)

    @cached_property
    def _prior(self) -> CodePrior | None:
        parts = self.components
        return code_prior(self.options.prior, w_std=lambda: parts.w_std, alignment=lambda: parts.alignment)

    @cached_property
    def _metric(self) -> PerceptualMetric | None:
        """Perceptual metric, if the iterator uses it."""
        return self.components.metric if self._asks_for_metric else None

    @property
    def _suits_metric(self) -> bool:
        step = self.options.step
        return step.metric == "auto" and step.applied(IteratorConfig()).takes_matrices

    @property
    def _asks_for_metric(self) -> bool:
        return self._suits_metric and self._takes_steps

    @property
    def _takes_steps(self) -> bool:
        return bool(self.config.steps or self.options.polish or self.options.full_size_steps)

    def _compiled(self, generator: Generator, steps: int) -> Generator:
        wanted = self.options.compile
        long = self.components.device.type == "cpu" and steps >= REPAYS * self.options.batch
        if wanted == "on" or (wanted == "auto" and long):
            return compiled(generator, lambda reason: self.warn(f"not compiled: {reason}"))
        return generator

    def stamp(self) -> dict[str, Any]:
        """Return the settings that all results share, without the starting codes."""
        options, parts, renderer = self.options, self.components, self.renderer
        stamp = stamp_of(
            options,
            generator=parts.generator.name,
            weights_sha256=parts.generator_sha256,
            render=renderer.resolution,
            renderer_sha256=parts.checksum_of(renderer),
            resolution=min(WORKING_SIZE, parts.generator.resolution),
            precision=str(parts.precision).removeprefix("torch."),
            start=self._start_name,
            embedder_sha256=parts.embedder_sha256 if isinstance(self.start, NetworkStart) else None,
            **parts.sources(with_embedder=isinstance(self.start, NetworkStart)),
            seed=options.common.seed if options.start == "sample" else None,
            metric_sha256=self._metric.sha256 if self._metric else None,
            feature_encoder_sha256=self._feature_encoder.sha256 if self._feature_encoder else None,
            **self._stepped_on,
            **asdict(self.config),
        )
        return {name: value for name, value in stamp.items() if value is not None}

    @property
    def _stepped_on(self) -> dict[str, str]:
        """Generators of the steps and of the network's second pass, where they differ from the inverted one."""
        used = {"stepped_on": self.drawing} if self.config.steps else {}
        if self.options.search.looks > 1:
            used["looked_on"] = self.components.quick
        others = {use: one for use, one in used.items() if one.resolution != self.components.generator.resolution}
        return {use: one.name for use, one in others.items()} | {
            f"{use}_sha256": weights_checksum(one.name) for use, one in others.items()
        }

    @property
    def _start_name(self) -> str:
        if isinstance(self.start, NetworkStart):
            return "network"
        if self.options.start in ("auto", "average", "sample"):
            return self.options.start.replace("auto", "average")
        return "folder" if isinstance(self.start, FolderStart) else "file"  # each face's stamp has the checksum

    def job(
        self, photos: Sequence[Path], out: Path, *, force: bool = False, deciding: Set[str] | None = None
    ) -> EmbedJob:
        """Create the job of embedding photos into a folder.

        Args:
            photos: Image files.
            out: Folder of the results.
            force: Recompute finished results.
            deciding: Stamp entries that finished results must match; None for all.
        """
        options, faces = self.options, self.options.faces
        return EmbedJob(
            inverter=self.inverter(len(photos)),
            detector=None if faces.aligned else self.components.detector,
            start=self.start,
            folder=ResultFolder(out),
            stamp=self.stamp(),
            deciding=deciding,
            face=faces.face,
            batch=options.batch,
            pictures=options.pictures,
            force=force,
            max_pixels=faces.max_pixels,
            notice=once(lambda text: self.warn(f"{text}; such results are recomputed")),
            warn=self.warn,
        )


def set_up(
    options: EmbedOptions,
    components: Components,
    *,
    photos: Sequence[Path] = (),
    out: Path | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Setup:
    """Resolve options that are not given, and load the start.

    Args:
        options: Options as given by the user.
        components: Networks of the job.
        photos: Photos to embed; codes of other projects may belong to them by order.
        out: Folder of the results, if there is one.
        warn: Called with warnings that do not stop the job.

    Raises:
        UserError: A file cannot be used, or the generator has no network.
    """
    method = _method(options, components)
    options = replace(options, method=method)
    if method != "optimize":
        start: Start = network_start(components.encoder, options.search.looks, lambda: components.quick)
    else:
        start = chosen_start(options.start, options.common.seed, components.generator, photos, out)
    setup = Setup(options, components, start, warn)
    # After the start is known: presets differ for near and far starts.
    setup = replace(setup, options=options.filled(setup.preset))
    if options.full_size_steps and setup.renderer.resolution <= WORKING_SIZE:
        warn(f"no steps at full size: reconstructions have {setup.renderer.resolution} pixels")
        return replace(setup, options=replace(setup.options, full_size_steps=0))
    return setup


def _method(options: EmbedOptions, components: Components) -> Method:
    if options.method != "auto":
        return options.method
    if not (components.embedder and options.start == "auto" and options.step.space == "w+"):
        return "optimize"
    steps = options.search.sizes(preset_of(options.search.quality, near=True)).steps
    return "hybrid" if steps or options.polish or options.full_size_steps or options.beyond.steps else "embed"

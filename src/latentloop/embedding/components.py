"""Networks of an embedding job, each read once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch

from latentloop.defaults import WORKING_SIZE, Precision, Which
from latentloop.devices import find_device, find_precision, repeatable_arithmetic
from latentloop.encoders.embedder_file import NAME as EMBEDDER
from latentloop.encoders.embedder_file import embedder_weights, missing_network, shipped_embedder
from latentloop.encoders.pretrained import Encoder, load_encoder
from latentloop.evaluation.measure import Evaluator, load_evaluator
from latentloop.faces import FaceDetector, load_face_detector
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.generators import Generator, load_generator, load_renderer, low_precision
from latentloop.generators.registry import renderers_of, weights_checksum
from latentloop.hub import GENERATORS, source_of
from latentloop.inversion import FeatureEncoder, PerceptualMetric
from latentloop.inversion.feature_encoder_file import find_feature_encoder
from latentloop.inversion.metric_file import find_metric
from latentloop.latents import StyleAlignment, style_alignment, w_std_of
from latentloop.losses import LossToward, iterator_loss
from latentloop.losses.config import LossConfig
from latentloop.weights import ReadOnce, checksum


@dataclass(frozen=True)
class Components:
    """A generator with the networks that find, draw and measure its codes, each loaded when first used."""

    generator_file: str
    """Name of a bundled generator, or a file."""
    device: torch.device
    """Device of the generator and the networks; face detection and metrics run on the CPU."""
    precision: torch.dtype
    """Precision of image synthesis in the iterator."""
    embedder_file: str | None = None
    """Embedding network, if it is not the one that is bundled for the generator."""
    which: Which = "g_ema"
    """Weights to read from a StyleGAN's file that has several generators."""
    reads: ReadOnce = field(default_factory=ReadOnce)
    """Context in which each weights file is read once for all parts."""
    watched: Callable[[Generator], Generator] = lambda generator: generator
    """Applied once to each generator when it is loaded: a benchmark counts the images that it draws."""
    _losses: dict[LossConfig, LossToward] = field(default_factory=dict)
    _lpips_by_net: dict[str, Lpips] = field(default_factory=dict)
    _renderers: dict[int, Generator] = field(default_factory=dict)
    _feature_encoders: dict[str, FeatureEncoder | None] = field(default_factory=dict)

    @cached_property
    def generator(self) -> Generator:
        """Generator that is inverted, in float32."""
        with self.reads:
            return self.watched(load_generator(self.generator_file, which=self.which, device=self.device))

    @cached_property
    def drawing(self) -> Generator:
        """Generator with the same weights in the iterator's precision."""
        return low_precision(self.generator, self.precision)

    @cached_property
    def quick(self) -> Generator:
        """The 256-pixel generator of the same latent space in the iterator's precision; `drawing` if there is none."""
        if self.generator.resolution <= WORKING_SIZE or WORKING_SIZE not in renderers_of(self.generator):
            return self.drawing
        return low_precision(self.renderer(WORKING_SIZE), self.precision)

    def renderer(self, resolution: int | None = None) -> Generator:
        """Load the generator that draws the same codes at another resolution.

        Args:
            resolution: Side of its images in pixels; None for the largest available.
        """
        size = max(renderers_of(self.generator)) if resolution is None else resolution
        # Kept by size: drawing, polishing and refining ask for the same one.
        if size not in self._renderers:
            with self.reads:
                loaded = load_renderer(self.generator, size, device=self.device)
            self._renderers[size] = loaded if loaded is self.generator else self.watched(loaded)
        return self._renderers[size]

    @property
    def embedder(self) -> str | None:
        """Name or file of the embedding network; None if the generator has none."""
        return self.embedder_file or shipped_embedder(self.generator)

    @cached_property
    def encoder(self) -> Encoder:
        """Embedding network of the generator.

        Raises:
            UserError: The generator has none, or the file's network predicts codes of another generator.
        """
        if not self.embedder:
            raise missing_network(self.generator)
        with self.reads:
            return load_encoder(self.embedder, self.generator)

    @cached_property
    def detector(self) -> FaceDetector:
        """Face detector, on the CPU."""
        with self.reads:
            return load_face_detector()

    @cached_property
    def evaluator(self) -> Evaluator:
        """Metrics of reconstructions, computed on the CPU."""
        with self.reads:
            return load_evaluator()

    @cached_property
    def alignment(self) -> StyleAlignment:
        """Statistics of the generator's random codes, for a prior on codes."""
        return style_alignment(self.generator)

    @cached_property
    def w_std(self) -> float:
        """Standard deviation of W, one number for all dimensions."""
        return w_std_of(self.generator)

    @cached_property
    def metric(self) -> PerceptualMetric | None:
        """Perceptual metric of the generator; None if neither the package nor the cache has one."""
        with self.reads:
            return find_metric(self.generator)

    def feature_encoder(self, renderer: Generator) -> FeatureEncoder | None:
        """Load the network that predicts changes of a renderer's features; None if none is bundled for it."""
        if renderer.name not in self._feature_encoders:
            with self.reads:
                self._feature_encoders[renderer.name] = find_feature_encoder(renderer)
        return self._feature_encoders[renderer.name]

    def loss(self, config: LossConfig) -> LossToward:
        """Load the iterator's loss on the device, once per setting."""
        if config not in self._losses:
            with self.reads:
                lpips = self._lpips(config) if config.lambda_lpips else None
                # Kept by setting: iterator, full-size steps and refinement weigh the same networks differently.
                self._losses[config] = iterator_loss(config, lpips=lpips, device=self.device, dtype=self.precision)
        return self._losses[config]

    def _lpips(self, config: LossConfig) -> Lpips:
        net = config.lpips_net
        if net not in self._lpips_by_net:
            self._lpips_by_net[net] = load_lpips(net, device=self.device, dtype=self.precision)
        return self._lpips_by_net[net]

    @cached_property
    def generator_sha256(self) -> str:
        """SHA-256 of the generator's weights."""
        with self.reads:
            return weights_checksum(self.generator_file, which=self.which)

    @property
    def generator_source(self) -> str | None:
        """Address of the generator on the Hugging Face Hub, with its commit; None where it is not from there."""
        return source_of(self.generator_file, *GENERATORS)

    @property
    def embedder_source(self) -> str | None:
        """Address of the embedding network on the Hugging Face Hub, with its commit; None elsewhere."""
        return source_of(self.embedder, EMBEDDER)

    def sources(self, *, with_embedder: bool) -> dict[str, str | None]:
        """Return the addresses of generator and embedding network on the Hub, as entries of a stamp; None elsewhere."""
        embedder = self.embedder_source if with_embedder else None
        return {"generator_source": self.generator_source, "embedder_source": embedder}

    def checksum_of(self, renderer: Generator) -> str:
        """Return the SHA-256 of a renderer's weights."""
        return self.generator_sha256 if renderer is self.generator else weights_checksum(renderer.name)

    @cached_property
    def embedder_sha256(self) -> str | None:
        """SHA-256 of the embedding network's weights; None without a network."""
        if not self.embedder:
            return None
        with self.reads:
            return checksum(embedder_weights(self.embedder))


def load_components(
    generator: str,
    *,
    which: Which = "g_ema",
    device: str = "auto",
    precision: Precision = "auto",
    embedder: str | None = None,
) -> Components:
    """Choose device and precision of a job; its networks are loaded when they are first used.

    On CUDA this makes the process's arithmetic repeatable: TF32 off, deterministic convolutions.

    Raises:
        UserError: The device does not exist.
    """
    repeatable_arithmetic()
    where = find_device(device)
    return Components(generator, where, find_precision(precision, where), embedder, which)

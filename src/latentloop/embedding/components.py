"""The networks of a job, each read once."""

from dataclasses import dataclass, field
from functools import cached_property

import torch

from latentloop.defaults import WORKING_SIZE, Precision, Which
from latentloop.devices import find_device, find_precision, repeatable_arithmetic
from latentloop.encoders.embedder_file import embedder_weights, shipped_embedder
from latentloop.encoders.pretrained import Encoder, load_encoder
from latentloop.errors import UserError
from latentloop.evaluation.measure import Evaluator, load_evaluator
from latentloop.faces import FaceDetector, load_face_detector
from latentloop.features.lpips import Lpips, load_lpips
from latentloop.generators import Generator, load_generator, load_renderer, low_precision
from latentloop.generators.registry import renderers_of, weights_checksum
from latentloop.inversion import PerceptualMetric
from latentloop.inversion.metric_file import find_metric
from latentloop.latents import StyleAlignment, style_alignment, w_std_of
from latentloop.losses import LossToward, iterator_loss
from latentloop.losses.config import LossConfig
from latentloop.weights import ReadOnce, checksum


@dataclass(frozen=True)
class Components:
    """A generator with all that finds, draws and measures its codes; each part is loaded when it is first needed."""

    generator_file: str
    """Name of a bundled generator, or a file."""
    device: torch.device
    """Device of the generator and the networks; face detection and metrics run on the CPU."""
    precision: torch.dtype
    """Precision of image synthesis in the iterator."""
    embedder_file: str | None = None
    """Embedding network, if it is not the one that is bundled for the generator."""
    which: Which = "g_ema"
    """Which of the generators in another project's file."""
    reads: ReadOnce = field(default_factory=ReadOnce)
    """Context in which each weights file is read once for all parts."""
    _losses: dict[LossConfig, LossToward] = field(default_factory=dict)
    _lpips_by_net: dict[str, Lpips] = field(default_factory=dict)
    _renderers: dict[int, Generator] = field(default_factory=dict)

    @cached_property
    def generator(self) -> Generator:
        """The generator that is inverted, in float32."""
        with self.reads:
            return load_generator(self.generator_file, which=self.which, device=self.device)

    @cached_property
    def drawing(self) -> Generator:
        """The generator in the precision of the iterator."""
        return low_precision(self.generator, self.precision)

    @cached_property
    def quick(self) -> Generator:
        """The generator of 256 pixels of the same latent space, if there is one, in the precision of the iterator."""
        if self.generator.resolution <= WORKING_SIZE or WORKING_SIZE not in renderers_of(self.generator):
            return self.drawing
        return low_precision(self.renderer(WORKING_SIZE), self.precision)

    def renderer(self, resolution: int | None = None) -> Generator:
        """The generator that draws the same codes at a resolution; by default at the largest there is."""
        size = max(renderers_of(self.generator)) if resolution is None else resolution
        if size not in self._renderers:
            with self.reads:
                self._renderers[size] = load_renderer(self.generator, size, device=self.device)
        return self._renderers[size]

    @property
    def embedder(self) -> str | None:
        """Name or file of the embedding network; None if there is none for the generator."""
        return self.embedder_file or shipped_embedder(self.generator)

    @cached_property
    def encoder(self) -> Encoder:
        """The embedding network.

        Raises:
            UserError: There is none for the generator, or it finds codes of another one.
        """
        if not self.embedder:
            raise UserError(
                f"no network is bundled for {self.generator.name}; make one: latentloop train", arguments="embedder"
            )
        with self.reads:
            return load_encoder(self.embedder, self.generator)

    @cached_property
    def detector(self) -> FaceDetector:
        """The face detector."""
        with self.reads:
            return load_face_detector()

    @cached_property
    def evaluator(self) -> Evaluator:
        """The metrics of reconstructions."""
        with self.reads:
            return load_evaluator()

    @cached_property
    def alignment(self) -> StyleAlignment:
        """Statistics of the generator's random codes, which a prior on codes compares with."""
        return style_alignment(self.generator)

    @cached_property
    def w_std(self) -> float:
        """Standard deviation of W."""
        return w_std_of(self.generator)

    @cached_property
    def metric(self) -> PerceptualMetric | None:
        """The generator's perceptual metric; None if there is none in the package or the cache."""
        with self.reads:
            return find_metric(self.generator)

    def loss(self, config: LossConfig) -> LossToward:
        """The iterator's loss, on the device."""
        if config not in self._losses:
            with self.reads:
                lpips = self._lpips(config) if config.lambda_lpips else None
                self._losses[config] = iterator_loss(config, lpips=lpips, device=self.device, dtype=self.precision)
        return self._losses[config]

    def _lpips(self, config: LossConfig) -> Lpips:
        net = config.lpips_net
        if net not in self._lpips_by_net:
            self._lpips_by_net[net] = load_lpips(net, device=self.device, dtype=self.precision)
        return self._lpips_by_net[net]

    @cached_property
    def generator_sha256(self) -> str:
        """Checksum of the generator's weights."""
        with self.reads:
            return weights_checksum(self.generator_file, which=self.which)

    def checksum_of(self, renderer: Generator) -> str:
        """Checksum of the weights of a renderer."""
        return self.generator_sha256 if renderer is self.generator else weights_checksum(renderer.name)

    @cached_property
    def embedder_sha256(self) -> str | None:
        """Checksum of the embedding network's weights; None if there is no network."""
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
    """Choose a device and a precision; networks are loaded as they are needed.

    On CUDA the process computes repeatably from here on: without TF32, with deterministic convolutions.

    Raises:
        UserError: There is no such device.
    """
    repeatable_arithmetic()
    where = find_device(device)
    return Components(generator, where, find_precision(precision, where), embedder, which)

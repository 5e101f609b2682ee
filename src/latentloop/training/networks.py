"""Networks of a training run: the initial embedding network, and a faster generator for the iterator."""

from dataclasses import replace

from latentloop.encoders import Embedder, EmbedderConfig, load_embedder, make_embedder
from latentloop.encoders.config import PRESETS
from latentloop.encoders.growth import difference, grow
from latentloop.errors import UserError
from latentloop.generators import Generator, load_generator
from latentloop.training.options import TrainOptions


def first_embedder(options: TrainOptions, generator: Generator, *, resumed: bool) -> Embedder:
    """Create the network that a run starts with; a resumed run then loads its weights from the checkpoint.

    Args:
        options: Options of the run.
        generator: Generator to train for.
        resumed: True if the run resumes from a checkpoint; the file of `options.start` then need not exist.

    Raises:
        UserError: The network cannot be built for this generator, or does not fit the one of `options.start`.
    """
    config = network_config(options, generator)
    embedder = make_embedder(config, generator, seed=options.seed)
    if options.start and not resumed:
        begun = load_embedder(options.start, generator)
        _check_grows(options.start, begun.config, config)
        grow(embedder, begun)
    return embedder


def network_config(options: TrainOptions, generator: Generator) -> EmbedderConfig:
    """Return the sizes of the network that a run trains; its input is at most the generator's resolution.

    Raises:
        UserError: The generator's resolution is too small.
    """
    preset = PRESETS[options.preset]
    resolution = min(preset.resolution, generator.resolution)
    try:
        looks_again = options.collaboration.lambda_second_look > 0
        parts = {"identity": options.identity, "head": options.head, "second_look": looks_again}
        return replace(preset, resolution=resolution, **parts)  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(f"no network for {generator.name}: {error}") from error


def quick_generator(name_or_path: str, generator: Generator) -> Generator:
    """Load a faster generator that replaces another one.

    Raises:
        UserError: Its latent space is another one.
    """
    quick = load_generator(name_or_path, device=generator.device)
    if (quick.fingerprint, quick.num_ws) != (generator.fingerprint, generator.num_ws):
        raise UserError(f"{name_or_path}: has another latent space than {generator.name}")
    return quick


def _check_grows(name: str, found: EmbedderConfig, wanted: EmbedderConfig) -> None:
    if option := difference(wanted, found):
        problem = f"{name}: a network with {option} {getattr(found, option)}, not {getattr(wanted, option)}"
        raise UserError(problem, arguments=("preset", "identity", "head"))

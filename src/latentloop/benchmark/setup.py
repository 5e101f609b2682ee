"""Setup of a benchmark from its options: networks, image set, and the stamps of its results."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import torch

from latentloop.baselines import load_networks
from latentloop.benchmark.edit_meter import EditMeter, both_ways
from latentloop.benchmark.editability_options import EditabilityOptions
from latentloop.benchmark.meters import CallCounter
from latentloop.benchmark.methods import Tools, prepare_method
from latentloop.benchmark.observer import Observer
from latentloop.benchmark.options import ComparisonOptions
from latentloop.benchmark.our_embedding import our_embedding
from latentloop.benchmark.our_iterator import our_iterator
from latentloop.benchmark.our_refiner import our_refiner
from latentloop.benchmark.protocols import load_protocol
from latentloop.benchmark.result_files import BenchmarkFolder
from latentloop.benchmark.run import Benchmark
from latentloop.common import Common
from latentloop.devices import describe_device, find_device, find_precision, repeatable_arithmetic
from latentloop.encoders import Encoder, load_encoder
from latentloop.encoders.embedder_file import embedder_weights, shipped_embedder
from latentloop.errors import UserError
from latentloop.evaluation.measure import load_evaluator
from latentloop.faces import load_face_detector
from latentloop.features.lpips import load_lpips
from latentloop.generators import Generator, load_generator, low_precision, noisy_synthesis
from latentloop.generators.registry import draws_faces, weights_checksum
from latentloop.inversion.metric_file import find_metric
from latentloop.latents import style_alignment
from latentloop.stamps import Stamp, stamp_of
from latentloop.weights import ReadOnce, checksum

DIGITS_SHOWN = 12
"""Number of checksum digits shown to distinguish weights."""


@dataclass(frozen=True)
class Resolved:
    """Options that depend on this machine or on files, resolved."""

    device: torch.device
    dtype: torch.dtype
    """Precision of the generator."""
    generator: Generator
    """Generator as loaded, in float32."""
    weights_sha256: str
    """SHA-256 of the generator's weights."""
    encoder: Encoder | None
    """Embedding network of the generator; None if there is none."""
    embedder_sha256: str | None
    """SHA-256 of the embedding network's weights; None without a network."""


@dataclass(frozen=True)
class Setup:
    """A benchmark that is ready to run, with the captions of its tables."""

    benchmark: Benchmark
    conditions: Mapping[str, str]
    """Settings that other runs must share to be shown beside this one."""
    facts: Mapping[str, str]
    """Details of the measurement: generator, protocol, device ..."""


def set_up(options: ComparisonOptions, observer: Observer) -> Setup:
    """Load everything that a benchmark needs.

    Raises:
        UserError: A file is missing or damaged, or the options do not suit the generator.
    """
    with ReadOnce():
        counter = CallCounter()
        resolved = _resolve(options, counter)
        tools = _load_tools(options, resolved, counter)
        stamp = partial(comparison_stamp, options, resolved)
        benchmark = Benchmark(
            folder=BenchmarkFolder(options.out),
            methods=[prepare_method(choice, tools, stamp) for choice in options.chosen_methods],
            generator=tools.generator,
            protocol=load_protocol(options.protocol),
            detector=None if options.takes_aligned else load_face_detector(),
            counter=counter,
            batch=options.batch,
            observer=observer,
            full_size=load_lpips() if options.full_size else None,
            edits=_edit_meter(resolved) if options.edits else None,
        )
    conditions = {
        "protocol": options.protocol,
        "generator": f"{resolved.generator.name} {resolved.weights_sha256[:DIGITS_SHOWN]}",
        "network": resolved.embedder_sha256[:DIGITS_SHOWN] if resolved.embedder_sha256 else "none",
        "choice of features": options.features,
    }
    return Setup(benchmark, conditions, _facts(benchmark, resolved))


def comparison_stamp(options: ComparisonOptions, resolved: Resolved, **method: object) -> Stamp:
    """Derive the stamp of a method's codes, complete except for the image.

    Args:
        options: Options as given by the user.
        resolved: Their resolved values on this machine.
        method: Name of the method, its features, and the settings of its refiner.
    """
    return stamp_of(
        options,
        weights_sha256=resolved.weights_sha256,
        embedder_sha256=resolved.embedder_sha256,
        device=describe_device(resolved.device),
        precision=str(resolved.dtype),
        aligned=options.takes_aligned,
        latentloop=version("latentloop"),
        **method,
    )


def _resolve(options: ComparisonOptions, counter: CallCounter) -> Resolved:
    repeatable_arithmetic()
    device = find_device(options.machine.device)
    generator = counter.counted(load_generator(options.generator, which=options.which, device=device))
    network = options.embedder or shipped_embedder(generator)
    return Resolved(
        device=device,
        dtype=_precision(options, generator, device),
        generator=generator,
        weights_sha256=weights_checksum(options.generator, which=options.which),
        encoder=load_encoder(network, generator) if network else None,
        embedder_sha256=checksum(embedder_weights(network)) if network else None,
    )


def _precision(options: ComparisonOptions, generator: Generator, device: torch.device) -> torch.dtype:
    """Choose the generator's precision: always float32 if a method optimizes its noise maps, weights or features.

    Refinements of our own codes, as in `latentloop embed`, are of the renderer, which is in float32 in any case.
    """
    dtype, methods = find_precision(options.machine.precision, device), [one.method for one in options.chosen_methods]
    with_noise = noisy_synthesis(generator) and any(method.uses_noise for method in methods)
    if dtype == torch.float32 or not (with_noise or any(method.needs_float32 for method in methods)):
        return dtype
    if options.machine.precision == "auto":
        return torch.float32
    raise UserError("methods that optimize noise maps or weights need float32", arguments="precision")


def _load_tools(options: ComparisonOptions, resolved: Resolved, counter: CallCounter) -> Tools:
    device, dtype = resolved.device, resolved.dtype
    generator = low_precision(resolved.generator, dtype)
    faces = not options.takes_aligned or draws_faces(resolved.generator)
    return Tools(
        generator=generator,
        iterator=our_iterator(resolved.generator, generator, find_metric(resolved.generator), faces=faces, dtype=dtype),
        refiner=our_refiner(resolved.generator),
        networks=load_networks(options.features, device=device, dtype=dtype),
        encoder=resolved.encoder,
        embedding=our_embedding(
            Common(options.generator, options.which),
            options.embedder,
            counter,
            device=device,
            precision=dtype,
            aligned=options.takes_aligned,
        ),
    )


def _edit_meter(resolved: Resolved) -> EditMeter:
    """Create the meter of edits with the defaults of `measure_editability`, in float32."""
    generator, encoder, defaults = resolved.generator, resolved.encoder, EditabilityOptions()
    if encoder is None:
        raise UserError(f"no embedding network is bundled for {generator.name}; name one", arguments="embedder")
    changes = both_ways(defaults.directions, generator).to(resolved.device)
    alignment = style_alignment(generator, samples=defaults.samples)
    return EditMeter(generator, encoder, load_evaluator(), alignment, changes, defaults.strength, defaults.change)


def _facts(benchmark: Benchmark, resolved: Resolved) -> dict[str, str]:
    protocol, dtype = benchmark.protocol, str(resolved.dtype).removeprefix("torch.")
    return {
        "generator": resolved.generator.name,
        "protocol": f"{protocol.name}: {protocol.about}",
        "seconds": "per image, for its code and for its image at full size",
        "device": f"{describe_device(resolved.device)}, {dtype}, batch {benchmark.batch}",
        "versions": ", ".join(f"{name} {version(name)}" for name in ("latentloop", "torch")),
    }

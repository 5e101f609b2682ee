"""From options to a benchmark that is ready to run: what is loaded, and what its results are made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import torch

from latentloop.baselines import load_networks
from latentloop.benchmark.meters import CallCounter
from latentloop.benchmark.methods import Tools, prepare_method
from latentloop.benchmark.observer import Observer
from latentloop.benchmark.options import ComparisonOptions
from latentloop.benchmark.protocols import load_protocol
from latentloop.benchmark.result_files import BenchmarkFolder
from latentloop.benchmark.run import Benchmark
from latentloop.devices import describe_device, find_device, find_precision
from latentloop.encoders import load_encoder
from latentloop.encoders.embedder_file import embedder_weights, shipped_embedder
from latentloop.errors import UserError
from latentloop.faces import load_face_detector
from latentloop.files import sha256_of
from latentloop.generators import Generator, load_generator, low_precision, noisy_synthesis
from latentloop.generators.registry import weights_checksum
from latentloop.losses import iterator_loss
from latentloop.stamps import Stamp, stamp_of

DIGITS_SHOWN = 12
"""Digits of a checksum that are enough to tell weights apart."""


@dataclass(frozen=True)
class Setup:
    """A benchmark that is ready to run, with what its tables say of it."""

    benchmark: Benchmark
    conditions: Mapping[str, str]
    """What other runs must have in common with this one to be shown beside it."""
    facts: Mapping[str, str]
    """How the metrics are measured: generator, protocol, device ..."""


def set_up(options: ComparisonOptions, observer: Observer) -> Setup:
    """Load everything that a benchmark needs.

    Raises:
        UserError: A file is missing or damaged, or the options do not fit the generator.
    """
    device = find_device(options.machine.device)
    loaded = load_generator(options.generator, device=device)
    dtype, counter = _precision(options, loaded, device), CallCounter()
    network = options.embedder or shipped_embedder(loaded)
    generator, protocol = counter.counted(low_precision(loaded, dtype)), load_protocol(options.protocol)
    tools = Tools(
        generator=generator,
        loss=iterator_loss(device=device, dtype=dtype),
        networks=load_networks(options.features, device=device, dtype=dtype),
        encoder=load_encoder(network, loaded) if network else None,
    )
    weights, embedder = weights_checksum(options.generator), _checksum(network) if network else None
    stamp = partial(comparison_stamp, options, weights, embedder, device, dtype)
    benchmark = Benchmark(
        folder=BenchmarkFolder(options.out),
        methods=[prepare_method(choice, tools, stamp) for choice in options.chosen_methods],
        generator=generator,
        protocol=protocol,
        detector=None if options.takes_aligned else load_face_detector(),
        counter=counter,
        batch=options.batch,
        observer=observer,
    )
    conditions = {
        "protocol": options.protocol,
        "generator": f"{loaded.name} {weights[:DIGITS_SHOWN]}",
        "network": embedder[:DIGITS_SHOWN] if embedder else "none",
        "choice of features": options.features,
    }
    facts = {
        "generator": loaded.name,
        "protocol": f"{protocol.name}: {protocol.about}",
        "seconds": "per image, for its code and for its image at full size",
        "device": f"{describe_device(device)}, {str(dtype).removeprefix('torch.')}, batch {options.batch}",
        "versions": ", ".join(f"{name} {version(name)}" for name in ("latentloop", "torch")),
    }
    return Setup(benchmark, conditions, facts)


def comparison_stamp(
    options: ComparisonOptions,
    weights: str,
    embedder: str | None,
    device: torch.device,
    dtype: torch.dtype,
    **method: object,
) -> Stamp:
    """Derive the stamp of a method's codes, in which only the image is missing.

    Args:
        options: What a user asks for.
        weights: SHA-256 of the generator's file.
        embedder: SHA-256 of the embedding network's file; None without one.
        device: Device on which codes are found.
        dtype: Precision of the generator.
        method: Name of the method, its features, and the settings of its refiner.
    """
    return stamp_of(
        options,
        weights_sha256=weights,
        embedder_sha256=embedder,
        device=describe_device(device),
        precision=str(dtype),
        aligned=options.takes_aligned,
        latentloop=version("latentloop"),
        **method,
    )


def _precision(options: ComparisonOptions, generator: Generator, device: torch.device) -> torch.dtype:
    """Precision of the generator; float32 where noise maps are optimized, for which there is no other."""
    dtype = find_precision(options.machine.precision, device)
    with_noise = noisy_synthesis(generator) and any(choice.method.uses_noise for choice in options.chosen_methods)
    if not with_noise or dtype == torch.float32:
        return dtype
    if options.machine.precision == "auto":
        return torch.float32
    raise UserError("methods that optimize noise maps need float32", arguments="precision")


def _checksum(network: str) -> str:
    weights = embedder_weights(network)
    return weights.sha256 or sha256_of(weights.path)

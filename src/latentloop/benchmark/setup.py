"""Setup of a benchmark from its options: networks, image set, and the stamps of its results."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from latentloop.benchmark.protocols import load_protocol
from latentloop.benchmark.result_files import BenchmarkFolder
from latentloop.benchmark.run import Benchmark
from latentloop.devices import describe_device, find_device, find_precision, repeatable_arithmetic
from latentloop.embedding.components import Components
from latentloop.errors import UserError
from latentloop.evaluation.measure import load_evaluator
from latentloop.faces import load_face_detector
from latentloop.features.lpips import load_lpips
from latentloop.generators import noisy_synthesis
from latentloop.latents import style_alignment
from latentloop.stamps import Stamp, stamp_of
from latentloop.weights import ReadOnce

DIGITS_SHOWN = 12
"""Number of checksum digits shown to distinguish weights."""


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
        parts = _components(options, counter)
        networks = load_networks(options.features, device=parts.device, dtype=parts.precision)
        tools, stamp = Tools(parts, networks, options.takes_aligned), partial(comparison_stamp, options, parts)
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
            edits=_edit_meter(parts) if options.edits else None,
        )
    conditions = {
        "protocol": options.protocol,
        "generator": f"{parts.generator.name} {parts.generator_sha256[:DIGITS_SHOWN]}",
        "network": parts.embedder_sha256[:DIGITS_SHOWN] if parts.embedder_sha256 else "none",
        "choice of features": options.features,
    }
    return Setup(benchmark, conditions, _facts(benchmark, parts))


def comparison_stamp(options: ComparisonOptions, parts: Components, **method: object) -> Stamp:
    """Derive the stamp of a method's codes, complete except for the image.

    Args:
        options: Options as given by the user.
        parts: Networks, device and precision.
        method: Name of the method, its features, and the settings of its refiner.
    """
    return stamp_of(
        options,
        weights_sha256=parts.generator_sha256,
        embedder_sha256=parts.embedder_sha256,
        device=describe_device(parts.device),
        precision=str(parts.precision),
        aligned=options.takes_aligned,
        latentloop=version("latentloop"),
        **method,
    )


def _components(options: ComparisonOptions, counter: CallCounter) -> Components:
    """Choose device and precision: float32 if a method optimizes noise maps, weights or features of the generator.

    Refinements of our own codes, as in `latentloop embed`, are of the renderer, which is in float32 in any case.
    """
    repeatable_arithmetic()
    device, wanted = find_device(options.machine.device), options.machine.precision
    precision = find_precision(wanted, device)
    parts = Components(options.generator, device, precision, options.embedder, options.which, watched=counter.counted)
    methods = [one.method for one in options.chosen_methods]
    with_noise = any(method.uses_noise for method in methods) and noisy_synthesis(parts.generator)
    if precision == torch.float32 or not (with_noise or any(method.needs_float32 for method in methods)):
        return parts
    if wanted == "auto":
        return replace(parts, precision=torch.float32)  # nothing but the generator is loaded yet
    raise UserError("methods that optimize noise maps or weights need float32", arguments="precision")


def _edit_meter(parts: Components) -> EditMeter:
    """Create the meter of edits with the defaults of `measure_editability`, in float32."""
    generator, encoder, defaults = parts.generator, parts.encoder, EditabilityOptions()
    changes = both_ways(defaults.directions, generator).to(parts.device)
    alignment = style_alignment(generator, samples=defaults.samples)
    return EditMeter(generator, encoder, load_evaluator(), alignment, changes, defaults.strength, defaults.change)


def _facts(benchmark: Benchmark, parts: Components) -> dict[str, str]:
    protocol, dtype = benchmark.protocol, str(parts.precision).removeprefix("torch.")
    return {
        "generator": parts.generator.name,
        "protocol": f"{protocol.name}: {protocol.about}",
        "seconds": "per image, for its code and for its image at full size",
        "device": f"{describe_device(parts.device)}, {dtype}, batch {benchmark.batch}",
        "versions": ", ".join(f"{name} {version(name)}" for name in ("latentloop", "torch")),
    }

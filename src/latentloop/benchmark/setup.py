"""From what a user asks for to a benchmark, and from its outcomes to what is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from latentloop.baselines import load_networks
from latentloop.baselines.networks import FeatureNet
from latentloop.benchmark.by_set import read_beside
from latentloop.benchmark.comparison import Comparison, MethodLine, Result, SetMeans, on_the_same_images
from latentloop.benchmark.datasets import ImageSet
from latentloop.benchmark.meters import CallCounter
from latentloop.benchmark.methods import Tools, make_entries, needs_noise
from latentloop.benchmark.protocols import ProtocolName, load_protocol
from latentloop.benchmark.result_files import BenchmarkFolder
from latentloop.benchmark.run import Benchmark, Outcome, Skipped, describe_run
from latentloop.defaults import Precision
from latentloop.devices import describe_device, find_precision
from latentloop.encoders import load_encoder
from latentloop.encoders.embedder_file import embedder_weights, shipped_embedder
from latentloop.errors import UserError
from latentloop.faces import load_face_detector
from latentloop.files import sha256_of
from latentloop.generators import Generator, load_generator, low_precision, noisy_synthesis
from latentloop.generators.registry import weights_checksum
from latentloop.losses import iterator_loss

SHORT = 12
"""Digits of a checksum that tell weights apart."""


@dataclass(frozen=True)
class Request:
    """What a user asks for."""

    out: Path
    generator: str
    methods: Sequence[str]
    steps: int | None
    """Of the methods that are not ours; None for those that were published."""
    protocol: ProtocolName
    features: FeatureNet
    embedder: str | None
    aligned: bool
    """Images are taken as they are."""
    batch: int
    device: torch.device
    precision: Precision


@dataclass(frozen=True)
class Run:
    """A benchmark, and how it draws."""

    job: Benchmark
    dtype: torch.dtype
    conditions: Mapping[str, str]
    """What other runs must share to stand beside this one."""


def make_run(request: Request) -> Run:
    """Load all that a benchmark needs.

    Raises:
        UserError: Something of it is missing, or does not go together.
    """
    loaded = load_generator(request.generator, device=request.device)
    dtype, counter = _dtype(request, loaded), CallCounter()
    network = request.embedder or shipped_embedder(loaded)
    tools = Tools(
        generator=counter.counted(low_precision(loaded, dtype)),
        loss=iterator_loss(device=request.device, dtype=dtype),
        networks=load_networks(request.features, device=request.device, dtype=dtype),
        encoder=load_encoder(network, loaded) if network else None,
    )
    weights, embedder = weights_checksum(request.generator), _checksum(network) if network else None
    job = Benchmark(
        folder=BenchmarkFolder(request.out),
        entries=make_entries(request.methods, tools, steps=request.steps),
        generator=tools.generator,
        protocol=load_protocol(request.protocol),
        detector=None if request.aligned else load_face_detector(),
        counter=counter,
        batch=request.batch,
        settings={
            "weights_sha256": weights,
            "embedder_sha256": embedder,
            "device": describe_device(request.device),
            "precision": str(dtype),
            "batch": request.batch,
            "aligned": request.aligned,
        },
    )
    conditions = {
        "protocol": request.protocol,
        "generator": f"{loaded.name} {weights[:SHORT]}",
        "network": embedder[:SHORT] if embedder else "none",
        "choice of features": request.features,
    }
    return Run(job, dtype, conditions)


def find_beside(folders: Sequence[Path], run: Run, images: ImageSet) -> list[SetMeans]:
    """What runs in other folders, on other sets, made; raises as `read_beside`."""
    return read_beside(folders, set_name(images), run.conditions)


def set_name(images: ImageSet) -> str:
    """Of a set; of a folder of any images, the folder's."""
    return images.photos[0].resolve().parent.name if images.name == "folder" else images.name


def compare(run: Run, images: ImageSet, outcomes: Sequence[Outcome], beside: Sequence[SetMeans] = ()) -> Comparison:
    """What is shown of a benchmark's outcomes so far, beside runs on other sets."""
    job = run.job
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    shown = on_the_same_images(results)
    lines = [
        MethodLine(entry.name, entry.title, entry.note, entry.ours, of_entry)
        for entry in job.entries
        if (of_entry := [result for result in shown if result.method == entry.name])
    ]
    facts = {
        "data": images.summary(),
        "generator": job.generator.name,
        "protocol": f"{job.protocol.name}: {job.protocol.about}",
        "seconds": "of an image: its code, and drawing that at full size",
        **describe_run(job, run.dtype),
    }
    if len(shown) < len(results):
        facts["images"] = "those that all methods have"
    left_out = list(dict.fromkeys(outcome.reason for outcome in outcomes if isinstance(outcome, Skipped)))
    columns = job.protocol.columns
    return Comparison(set_name(images), facts, run.conditions, columns, lines, left_out, beside)


def _dtype(request: Request, loaded: Generator) -> torch.dtype:
    """Of drawing; noise maps are drawn with in float32 only."""
    dtype = find_precision(request.precision, request.device)
    maps = noisy_synthesis(loaded) and needs_noise(request.methods)
    if not maps or dtype == torch.float32:
        return dtype
    if request.precision == "auto":
        return torch.float32
    raise UserError(f"--precision {request.precision}: methods that look for noise maps draw in float32")


def _checksum(network: str) -> str:
    weights = embedder_weights(network)
    return weights.sha256 or sha256_of(weights.path)

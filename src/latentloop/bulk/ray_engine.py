"""Ray as the engine of bulk jobs: starting it quietly, dividing the machine, counting what is done."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from latentloop.bulk.options import BulkOptions
from latentloop.bulk.ray_module import load_ray
from latentloop.devices import host_memory
from latentloop.errors import UserError, in_one_line

MEMORY = 3 << 29
"""Memory of a worker in bytes, with its networks, generously."""
OBJECTS = 1 << 28
"""Memory for blocks on their way between processes of one machine, in bytes: they hold paths and codes."""
FACES = 1 << 31
"""The same where faces are found and embedded by different processes: a block has 0.8 MB a face."""
SPARE = 2
"""Processors that Ray may count beside the workers', for tasks that hardly compute."""


@dataclass(frozen=True)
class Workers:
    """Processes that a job is divided among."""

    count: int
    """Processes that find codes."""
    threads: int
    """Threads of each process."""
    gpus: bool = False
    """Whether each has a GPU; then other processes find the faces."""
    finders: int = 0
    """Processes that find faces, beside GPUs."""
    environment: dict[str, Any] = field(default_factory=dict)
    """Arguments of Ray with the workers' environment variables."""


@contextmanager
def running_ray(options: BulkOptions) -> Iterator[Workers]:
    """Start Ray on this machine, or connect to a cluster, and say how the work is divided; the end stops what it began.

    Raises:
        UserError: Ray is not installed, or does not start.
    """
    theirs = load_ray().is_initialized()
    try:
        yield workers_on_ray(options)
    finally:
        if not theirs:
            load_ray().shutdown()


def workers_on_ray(options: BulkOptions) -> Workers:
    """Start Ray on this machine, or connect to a cluster, if that is not done yet; returns how work is divided.

    Raises:
        UserError: Ray is not installed, or does not start.
    """
    ray = load_ray()
    if not ray.is_initialized():
        _start(ray, options)
    return divided(options, ray.cluster_resources())


def _start(ray: Any, options: BulkOptions) -> None:  # noqa: ANN401 - the module
    own = dict[str, Any]()
    if not options.address:  # what Ray counts is what we say: the workers', and some for tasks that hardly compute
        here, gpus = workers_of_machine(options), takes_gpus(options) and torch.cuda.is_available()
        processors = _processors() if gpus else here.count * here.threads
        own = {"num_cpus": processors + SPARE, "object_store_memory": FACES if gpus else OBJECTS}
    try:
        with _silent_start():
            ray.init(
                options.address or "local", **own, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
            )
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        raise UserError(f"Ray does not start: {in_one_line(error)}", arguments="address") from error


def workers_of_machine(options: BulkOptions) -> Workers:
    """Divide this machine's processors: a worker for each that it has memory for, unless the options tell."""
    processors = _processors()
    count = options.workers or max(1, min(processors, host_memory() // MEMORY))
    return _workers(count, options.threads or max(1, processors // count))


def takes_gpus(options: BulkOptions) -> bool:
    """Return whether a job runs on GPUs where there are any."""
    return options.common.device.partition(":")[0] in ("auto", "cuda")


def divided(options: BulkOptions, resources: dict[str, float]) -> Workers:
    """Divide what Ray has: a GPU for each worker if there are any, else this machine's processors, or a cluster's.

    Args:
        options: With the number of workers and threads, if they are given.
        resources: What Ray counts: "CPU" and "GPU".
    """
    processors, gpus = int(resources.get("CPU", 1)), int(resources.get("GPU", 0))
    threads = options.threads or 1
    if gpus and takes_gpus(options):
        count = min(options.workers or gpus, gpus)
        return replace(_workers(count, threads), gpus=True, finders=max(1, (processors - count - SPARE) // threads))
    if options.address:
        return _workers(options.workers or max(1, (processors - SPARE) // threads), threads)
    return workers_of_machine(options)


@contextmanager
def _silent_start() -> Iterator[None]:
    """Keep what Ray's C++ parts say at their start from stderr; its errors come as exceptions."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def _processors() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _workers(count: int, threads: int) -> Workers:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    environment = {"runtime_env": {"env_vars": {name: str(threads) for name in names}}}
    return Workers(count, threads, environment=environment)

"""Ray as the engine of bulk jobs: quiet start, and division of the machine among workers."""

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
"""Memory reserved per worker in bytes, with its networks."""
OBJECTS = 1 << 28
"""Memory for blocks in transit between processes of one machine, in bytes, if they hold paths and codes."""
FACES = 1 << 31
"""Memory for blocks in transit, in bytes, if they hold aligned faces of 0.8 MB each."""
SPARE = 2
"""Number of processors that Ray may count in addition to the workers', for tasks that hardly compute."""


@dataclass(frozen=True)
class Workers:
    """Processes that a job is divided among."""

    count: int
    """Number of processes that compute codes."""
    threads: int
    """Number of threads per process."""
    gpus: bool = False
    """True if each has a GPU; other processes then find the faces."""
    finders: int = 0
    """Number of processes that find faces, if there are GPUs."""
    environment: dict[str, Any] = field(default_factory=dict)
    """Arguments for Ray with the workers' environment variables."""


@contextmanager
def running_ray(options: BulkOptions) -> Iterator[Workers]:
    """Start Ray on this machine, or connect to a cluster; yields the workers, and shuts down what it started.

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
    """Start Ray on this machine, or connect to a cluster, if necessary; returns the workers.

    Raises:
        UserError: Ray is not installed, or does not start.
    """
    ray = load_ray()
    if not ray.is_initialized():
        _start(ray, options)
    return divided(options, ray.cluster_resources())


def _start(ray: Any, options: BulkOptions) -> None:  # noqa: ANN401 - the module
    own = dict[str, Any]()
    if not options.address:  # Ray schedules by these declared processors, not by the machine's real ones
        here, gpus = workers_of_machine(options), takes_gpus(options) and torch.cuda.is_available()
        processors = _processors() if gpus else here.count * here.threads
        own = {"num_cpus": processors + SPARE, "object_store_memory": FACES if gpus else OBJECTS}
    try:
        with _silent_start():
            ray.init(
                options.address or "local", **own, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
            )
    except Exception as error:  # a node that is late raises a bare Exception
        raise UserError(f"Ray does not start: {in_one_line(error)}", arguments="address") from error


def workers_of_machine(options: BulkOptions) -> Workers:
    """Divide this machine's processors: one worker for each that it has memory for, unless options say otherwise."""
    processors = _processors()
    count = options.workers or max(1, min(processors, host_memory() // MEMORY))
    return _workers(count, options.threads or max(1, processors // count))


def takes_gpus(options: BulkOptions) -> bool:
    """Tell whether a job uses GPUs if there are any."""
    return options.common.device.partition(":")[0] in ("auto", "cuda")


def divided(options: BulkOptions, resources: dict[str, float]) -> Workers:
    """Divide Ray's resources: one GPU per worker if there are any, else this machine's processors, or a cluster's.

    Args:
        options: Options with the numbers of workers and threads, if given.
        resources: Resources that Ray counts: "CPU" and "GPU".
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
    """Discard the output of Ray's C++ parts at the start; their errors arrive as exceptions."""
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

"""The job of `latentloop metric`: estimate a generator's perceptual metric and write it to a file."""

from collections.abc import Callable
from pathlib import Path

from latentloop.devices import find_device, repeatable_arithmetic
from latentloop.errors import UserError
from latentloop.features.lpips import SMALLEST, load_lpips
from latentloop.files import check_writable
from latentloop.generators import Generator, load_generator
from latentloop.inversion.metric_estimate import estimate_metric, loss_features
from latentloop.inversion.metric_file import NAME, SHIPPED, cached_metric_path, save_metric
from latentloop.inversion.metric_options import MetricOptions
from latentloop.ownership import is_foreign
from latentloop.weights import ReadOnce, kind_in


def make_metric(
    name_or_path: str | Path,
    out: Path | None = None,
    options: MetricOptions | None = None,
    *,
    force: bool = False,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> Path:
    """Estimate the perceptual metric of a generator for the iterator's default loss, and return the file's path.

    Args:
        name_or_path: Name of a bundled generator, or a file.
        out: File to write; None for the place in the cache where all jobs look for it.
        options: Number of samples, weights, device and seed.
        force: Replace an existing metric.
        on_progress: Called with the number of codes done and their total.

    Raises:
        UserError: The generator cannot be used, or has a bundled metric and `out` is None; the file exists already, or
            cannot be written.
    """
    options = options or MetricOptions()
    repeatable_arithmetic()
    # Checks come before the estimate, which takes minutes.
    with ReadOnce():
        generator = load_generator(name_or_path, which=options.which, device=find_device(options.device))
        lpips = load_lpips(device=generator.device)
    if out is None and generator.fingerprint in SHIPPED:
        raise UserError(
            f"the metric of {generator.name} is bundled; to measure it again, name a file to write", arguments="out"
        )
    target = out or cached_metric_path(generator)
    _check(generator, target, force=force)
    metric = estimate_metric(
        generator, loss_features(lpips), samples=options.samples, seed=options.seed, on_progress=on_progress
    )
    save_metric(target, metric, {"generator": generator.name, "samples": options.samples, "seed": options.seed})
    return target


def _check(generator: Generator, target: Path, *, force: bool) -> None:
    if generator.resolution < SMALLEST:
        size = generator.resolution
        raise UserError(f"LPIPS needs images of at least {SMALLEST} pixels, {generator.name} draws {size}")
    if target.is_dir():
        raise UserError(f"{target}: a folder, not a file", arguments="out")
    if target.exists() and not force:
        raise UserError(f"{target}: exists already", arguments="force")
    if is_foreign(target, lambda path: kind_in(path) == NAME):
        raise UserError(f"{target}: exists and is not a metric; choose another file", arguments="out")
    check_writable(target.parent)

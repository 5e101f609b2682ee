"""Training and distillation in one call each."""

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any

from latentloop.allocator import keep_freed_memory
from latentloop.options import check_kind, check_path, with_changes
from latentloop.training.distill_setup import set_up_distilling
from latentloop.training.options import DistillOptions, TrainOptions
from latentloop.training.run import Progress
from latentloop.training.setup import set_up_training
from latentloop.training.stopping import stop_signals

Names = str | Path | Sequence[str | Path]
"""File, folder or glob, or several of them."""


def train(
    generator: str | Path | None = None,
    *,
    data: Names | None = None,
    validation: Names | None = None,
    out: str | Path | None = None,
    options: TrainOptions | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    **changes: Any,  # noqa: ANN401 - of the options' types
) -> Path:
    """Train an embedding network for a generator, and return the file of the best network.

    If the folder holds such a run, it is resumed from its last checkpoint. Ctrl-C saves after the current step.

        train("cats.pkl", data="cats/", out="run", identity="none", steps=2000, batch=4)

    Args:
        generator: Name of a bundled generator, or the file of a StyleGAN.
        data: Square, aligned photos to learn from: folders, globs, files, uncompressed tar files.
        validation: Photos to measure on, never learned from.
        out: Folder for the results; "trained" unless the options say otherwise.
        options: All other settings; arguments given here take precedence.
        on_progress: Called after each step.
        changes: Options by name, of `TrainOptions` and of the configurations in it.

    Raises:
        TypeError: An option is unknown, or a value has the wrong type.
        ValueError: An option cannot have that value.
        UserError: A file is missing or wrong, or the folder holds a run with other options or foreign files.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    check_kind("options", options, (TrainOptions, NoneType), "TrainOptions")
    named = {"generator": generator, "data": data, "validation": validation, "out": out}
    keep_freed_memory()
    job = set_up_training(with_changes(options or TrainOptions(), _plain(named) | _plain(changes)))
    with stop_signals(signal.SIGINT) as job.stopping:
        for progress in job.run():
            if on_progress:
                on_progress(progress)
    if not job.finished:
        raise KeyboardInterrupt
    return job.result


def distill(
    generator: str | Path | None = None,
    *,
    photos: Names | None = None,
    out: str | Path | None = None,
    options: DistillOptions | None = None,
    on_progress: Callable[[Mapping[str, float]], object] | None = None,
    **changes: Any,  # noqa: ANN401 - of the options' types
) -> Path:
    """Train a smaller, faster generator to draw what another one draws, and return its file.

    If the folder holds such a run, it is resumed after its last pool of images.

        distill(out="small", resolution=128, steps=1000)

    Args:
        generator: Name of a bundled generator, or the file of a MobileStyleGAN.
        photos: Aligned photos whose codes the student should reproduce, too: folders, globs, files.
        out: Folder for the results; "distilled" unless the options say otherwise.
        options: All other settings; arguments given here take precedence.
        on_progress: Called after each pool of images, with its line of the log.
        changes: Options by name, of `DistillOptions` and of `DistillConfig`.

    Raises:
        TypeError: An option is unknown, or a value has the wrong type.
        ValueError: An option cannot have that value.
        UserError: A file is missing or wrong, or the folder holds a run with other options or foreign files.
    """
    check_kind("options", options, (DistillOptions, NoneType), "DistillOptions")
    keep_freed_memory()
    named = {"generator": generator, "photos": photos, "out": out}
    job = set_up_distilling(with_changes(options or DistillOptions(), _plain(named) | _plain(changes)))
    for line in job.run():
        if on_progress:
            on_progress(line)
    return job.result


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the arguments that were given to the types of the options' fields."""
    plain: dict[str, Any] = {}
    for name, value in arguments.items():
        if value is None:
            continue
        if name == "out":
            check_path(value, name=name)
            plain[name] = Path(value)
        elif name in ("data", "validation", "photos"):
            check_kind(name, value, (str, Path, list, tuple), "a path or several")
            plain[name] = (str(value),) if isinstance(value, str | Path) else tuple(map(str, value))
        else:
            plain[name] = str(value) if isinstance(value, Path) else value
    return plain

"""Benchmark of methods in one call: from images and options to tables, plots and a report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from latentloop.benchmark.by_set import read_beside
from latentloop.benchmark.comparison import (
    Comparison,
    MethodLine,
    Outcome,
    Result,
    SetMeans,
    Skipped,
    common_images,
    on_the_same_images,
)
from latentloop.benchmark.comparison_files import refuse_strangers, write_comparison
from latentloop.benchmark.datasets import ImageSet, find_images
from latentloop.benchmark.observer import Observer, Silent
from latentloop.benchmark.options import NO_ROOT, ComparisonOptions
from latentloop.benchmark.setup import Setup, set_up
from latentloop.errors import UserError
from latentloop.folder_lock import sole_use
from latentloop.options import with_changes


def run_benchmark(
    photos: str | Path | Sequence[str | Path] | None = None,
    *,
    options: ComparisonOptions | None = None,
    observer: Observer | None = None,
    **changes: Any,  # noqa: ANN401 - each of its option's type
) -> Comparison:
    """Compare inversion methods on a set of images, as `latentloop bench` does.

    Results, tables, plots and a report are written into the folder `out`, even if the run is interrupted; a stopped run
    continues when it is started again.

    Args:
        photos: Folder with the images, or image files. None for the folder `root` of the options.
        options: Methods, images and settings of the comparison.
        observer: Callbacks for the progress.
        changes: Single options by name, such as `methods=("one-pass", "hybrid:100"), out="benchmark"`.

    Raises:
        UserError: A file is missing or damaged, options contradict each other, or the folder is in use or holds foreign
            files.
        ValueError: An option cannot have that value.
        TypeError: An option is unknown, or a value has the wrong type.
    """
    options, observer = with_changes(options or ComparisonOptions(), changes), observer or Silent()
    options = replace(options, out=Path(options.out))
    images = _images(photos, options)
    if images.missing:
        observer.note(images.summary())
    refuse_strangers(options.out)
    setup = set_up(options, observer)
    beside = read_beside([Path(folder) for folder in options.beside], images.title, setup.conditions)
    with sole_use(options.out):
        return _run(setup, images, beside, options.out, observer)


def _run(setup: Setup, images: ImageSet, beside: Sequence[SetMeans], out: Path, observer: Observer) -> Comparison:
    observer.begin(setup.benchmark.methods, len(images.photos))
    outcomes: list[Outcome] = []
    try:
        for outcome in setup.benchmark.run(images.photos):
            outcomes.append(outcome)
            observer.finish(outcome)
    finally:
        comparison = _comparison(setup, images, outcomes, beside)
        for file in write_comparison(out, comparison) if comparison.lines else ():
            observer.written(file)
    return comparison


def _images(photos: str | Path | Sequence[str | Path] | None, options: ComparisonOptions) -> ImageSet:
    root = options.root if photos is None else photos
    if root is None:
        raise UserError(NO_ROOT, arguments="root")
    if isinstance(root, str | Path):
        return find_images(options.data, Path(root), limit=options.limit)
    if not root:
        raise UserError("name at least one image", arguments="root")
    return ImageSet("folder", tuple(Path(photo) for photo in root)[: options.limit], ())


def _comparison(setup: Setup, images: ImageSet, outcomes: Sequence[Outcome], beside: Sequence[SetMeans]) -> Comparison:
    """Summarize the outcomes so far, beside runs on other sets."""
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    shown = on_the_same_images(results)
    lines = [
        MethodLine(method.name, method.title, method.note, method.ours, of_method)
        for method in setup.benchmark.methods
        if (of_method := [result for result in shown if result.method == method.name])
    ]
    facts = {"data": images.summary(), **setup.facts}
    if results and not common_images(results):
        facts["images"] = "none is common to all methods: their means do not compare"
    elif len(shown) < len(results):
        facts["images"] = "those that all methods have"
    left_out = list(dict.fromkeys(outcome.reason for outcome in outcomes if isinstance(outcome, Skipped)))
    columns = setup.benchmark.columns
    return Comparison(images.title, facts, setup.conditions, columns, lines, left_out, beside)

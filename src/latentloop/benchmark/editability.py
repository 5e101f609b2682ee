"""Benchmark of edits: how well the codes of photos edit after different numbers of steps."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from latentloop.benchmark.edit_meter import EditMeter, both_ways
from latentloop.benchmark.editability_files import (
    EditabilityRow,
    read_figures,
    refuse_strangers,
    write_figures,
    write_table,
)
from latentloop.benchmark.editability_options import EditabilityOptions
from latentloop.devices import describe_device
from latentloop.embedding import Components, Failed, components_for, embed_files
from latentloop.embedding.result_folder import ResultFolder, ResultPaths
from latentloop.errors import UserError
from latentloop.files import sha256_of
from latentloop.folder_lock import sole_use
from latentloop.generators import refined
from latentloop.images import read_image
from latentloop.latents import load_code, style_alignment
from latentloop.stamps import Stamp, key_of, stamp_of

T = TypeVar("T")
OnProgress = Callable[[str, int, int], None]
"""Called with a stage, the number of finished photos, and the number of all."""


def measure_editability(
    photos: Sequence[str],
    out: Path,
    options: EditabilityOptions | None = None,
    *,
    components: Components | None = None,
    warn: Callable[[str], None] = lambda _: None,
    on_progress: OnProgress = lambda *_: None,
) -> Iterator[EditabilityRow]:
    """Embed photos with each number of steps, and measure how the codes edit; yields each row once it is measured.

    The codes of a row are those of `embed_files`, in their own folder. Finished results are kept.

    Args:
        photos: Files, folders and globs.
        out: Folder for the codes and metrics.
        options: Settings of the codes and edits.
        components: Networks that are loaded already.
        warn: Called with warnings that do not stop the job.
        on_progress: Called with the progress of each row.

    Raises:
        UserError: A file cannot be used, a direction is unknown, or the generator has no embedding network.
    """
    options = options or EditabilityOptions()
    components = components or components_for(options.embedding(options.steps[0]))
    bench = EditabilityBench(components, options, out, warn, on_progress)
    _ = bench.changes, components.encoder  # loaded now, so that errors come before the first code is computed
    rows: list[EditabilityRow] = []
    refuse_strangers(out)
    with sole_use(out):
        for steps in options.steps:
            rows.append(bench.row(photos, steps))
            write_table(out, rows, bench.facts)
            yield rows[-1]


@dataclass(frozen=True)
class EditabilityBench:
    """Computes codes and measures them; all results are kept in a folder."""

    components: Components
    options: EditabilityOptions
    out: Path
    warn: Callable[[str], None] = field(default=lambda _: None)
    on_progress: OnProgress = field(default=lambda *_: None)

    @cached_property
    def changes(self) -> Tensor:
        """Change of a code by each edit, (K, num_ws, w_dim): both ways along each direction."""
        return both_ways(self.options.directions, self.components.generator)

    @cached_property
    def meter(self) -> EditMeter:
        """Metrics of a code, with the networks that they need."""
        parts, options = self.components, self.options
        alignment = style_alignment(parts.generator, samples=options.samples, seed=options.common.seed)
        changes = self.changes.to(parts.device)
        return EditMeter(
            parts.generator, parts.encoder, parts.evaluator, alignment, changes, options.strength, options.change
        )

    @property
    def facts(self) -> dict[str, str]:
        """Conditions of the measurement, for the table."""
        parts, options = self.components, self.options
        return {
            "generator": parts.generator.name,
            "network": str(parts.embedder),
            "edits": f"{', '.join(options.directions)}, each both ways",
            "strength of LEC and cycle": f"{options.strength:g}",
            "LPIPS of edits for ID": f"{options.change:g}",
            "device": f"{describe_device(parts.device)}, {str(parts.precision).removeprefix('torch.')}",
            "versions": ", ".join(f"{name} {version(name)}" for name in ("latentloop", "torch")),
        }

    def row(self, photos: Sequence[str], steps: int) -> EditabilityRow:
        """Compute and measure the codes of photos after a number of steps."""
        folder, names, left_out = ResultFolder(self.out / f"steps-{steps}"), list[str](), list[UserError]()
        options = replace(self.options.embedding(steps), render=self.components.generator.resolution)
        run = embed_files(photos, folder.path, options, components=self.components, with_report=False, warn=self.warn)
        for outcome in self._followed(f"{steps} steps: codes", run.outcomes(), len(run.photos)):
            if isinstance(outcome, Failed):
                left_out.append(outcome.error)
            else:
                names.append(outcome.name)
        followed = self._followed(f"{steps} steps: figures", names, len(names))
        return EditabilityRow(steps, {name: self._figures(folder.paths(name)) for name in followed}, tuple(left_out))

    def _figures(self, paths: ResultPaths) -> dict[str, float]:
        """Measure a code, unless its metrics are stored."""
        file = paths.code.with_suffix(".json")
        key = key_of(self.stamp(paths))
        if (figures := read_figures(file, key)) is None:
            code, generator = load_code(paths.code), self.components.generator
            by = refined(generator, code.refinement, path=paths.code) if code.refinement else generator
            w_plus, photo = code.w_plus[None].to(generator.device), read_image(paths.aligned)
            figures = replace(self.meter, generator=by).measure(w_plus, photo)
            write_figures(file, key, figures)
        return figures

    def stamp(self, paths: ResultPaths) -> Stamp:
        """Return the inputs and settings that the metrics of a code depend on."""
        return stamp_of(
            self.options,
            code_sha256=sha256_of(paths.code),
            photo_sha256=sha256_of(paths.aligned),
            changes_sha256=hashlib.sha256(self.changes.numpy().tobytes()).hexdigest(),
            weights_sha256=self.components.generator_sha256,
            embedder_sha256=self.components.embedder_sha256,
            metric_sha256=None,  # its effect is in the code, whose checksum counts
            latentloop=version("latentloop"),
        )

    def _followed(self, stage: str, items: Iterable[T], total: int) -> Iterator[T]:
        self.on_progress(stage, 0, total)
        for done, item in enumerate(items, start=1):
            yield item
            self.on_progress(stage, done, total)

"""Embedding run over photos, shared by `latentloop embed` and `Model.invert_files`."""

from collections.abc import Callable, Generator, Sequence, Set
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from latentloop.embedding.components import Components, load_components
from latentloop.embedding.job import EmbedJob
from latentloop.embedding.journal import Journal
from latentloop.embedding.options import EmbedOptions
from latentloop.embedding.outcomes import Embedded, Outcome
from latentloop.embedding.record import record_of
from latentloop.embedding.setup import set_up
from latentloop.embedding.summary_files import FEW, LINES, REPORT, RESULTS, foreign_summary
from latentloop.folder_lock import sole_use
from latentloop.inversion.iterator import OnStep
from latentloop.photos.find import find_photos


@dataclass(frozen=True)
class EmbedRun:
    """Photos ready to be embedded into a folder."""

    photos: Sequence[Path]
    job: EmbedJob
    with_report: bool
    on_wait: Callable[[str], None] | None = None
    """Called with a message before waiting for another process that uses the folder; None raises an error instead."""
    reports: list[Path] = field(default_factory=list)
    """Paths of the reports written so far."""

    @property
    def steps(self) -> int:
        """Number of optimization steps per photo."""
        return self.job.inverter.steps

    @property
    def report(self) -> Path:
        """Path of the report that the run writes at its end."""
        return self.job.folder.path / REPORT

    def outcomes(self, on_step: OnStep | None = None) -> Generator[Outcome]:
        """Embed the photos; yields the outcome of each face, and writes results.json and report.html at the end.

        Each outcome's line in results.jsonl is written as soon as it is done. If no photo could be embedded, the other
        two files are written only to replace older ones.

        Args:
            on_step: As in `LatentIterator.refine`.

        Raises:
            UserError: The folder cannot be written to, or another process uses it.
        """
        folder = self.job.folder
        with ExitStack() as held:
            held.enter_context(sole_use(folder.path, self.on_wait))
            job, journal = self.job, Journal(folder.path / LINES, self.photos)
            if self.with_report:
                journal.begin()
                job = replace(
                    job,
                    on_done=lambda outcome: journal.add(record_of(outcome, folder)),
                    thumbnails=self.job.pictures and len(self.photos) > FEW,
                )
            outcomes = held.enter_context(closing(job.run(self.photos, on_step)))
            try:
                yield from outcomes
            finally:
                outcomes.close()  # waits for the writing thread, so that the summary is complete
                if self.with_report:
                    self._summarize(journal)

    def _summarize(self, journal: Journal) -> None:
        """Write the summary files; outdated ones would describe another run."""
        journal.finish(record_of(outcome, self.job.folder) for outcome in self.job.done)
        if self.report.exists() or any(isinstance(outcome, Embedded) for outcome in self.job.done):
            self._report()

    def _report(self) -> None:
        from latentloop.embedding.results import Run, write_results  # with matplotlib, which not every run needs

        inverter = self.job.inverter
        names = [inverter.generator.name, f"drawn by {inverter.renderer.name}"]
        shown = ", ".join(names if inverter.renderer.name != inverter.generator.name else names[:1])
        place = {photo: i for i, photo in enumerate(self.photos)}
        outcomes = sorted(self.job.done, key=lambda outcome: place[outcome.photo])
        write_results(
            self.job.folder, outcomes, Run(shown, inverter.generator.device, self.job.stamp, self.job.pictures)
        )
        self.reports.append(self.report)


def components_for(options: EmbedOptions) -> Components:
    """Create the components that options name."""
    common, search = options.common, options.search
    return load_components(
        common.generator,
        which=common.which,
        device=common.device,
        precision=search.precision,
        embedder=search.embedder,
    )


def embed_files(
    photos: Sequence[str],
    out: Path,
    options: EmbedOptions | None = None,
    *,
    components: Components | None = None,
    force: bool = False,
    deciding: Set[str] | None = None,
    with_report: bool = True,
    warn: Callable[[str], None] = lambda _: None,
    on_wait: Callable[[str], None] | None = None,
) -> EmbedRun:
    """Prepare to embed photos into a folder; finished results in it are kept.

    Args:
        photos: Files, folders and globs.
        out: Folder of the results.
        options: Settings; generator, device, precision and embedder are ignored if `components` is given.
        components: Networks that are loaded already.
        force: Recompute finished results.
        deciding: Stamp entries that must match for a result to count as finished; None for all.
        with_report: Also write results.json, results.jsonl and report.html, unless foreign files have these names.
        warn: Called with warnings that do not stop the run.
        on_wait: Called with a message before waiting for another process that uses the folder; None raises an error
            instead.

    Raises:
        UserError: A file cannot be used, or a foreign file would be replaced.
    """
    options = options or EmbedOptions()
    if with_report and (theirs := foreign_summary(out)):
        warn(f"{theirs}: not written by latentloop, so it is kept; this run writes no {RESULTS}, {LINES} or {REPORT}")
        with_report = False
    found = find_photos(photos)
    components = components or components_for(options)
    setup = set_up(options, components, photos=found, out=out, warn=warn)
    return EmbedRun(found, setup.job(found, out, force=force, deciding=deciding), with_report, on_wait)

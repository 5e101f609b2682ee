"""A run over photos, as in `latentloop embed` and `Model.invert_files`."""

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
    """Photos that are about to be embedded into a folder."""

    photos: Sequence[Path]
    job: EmbedJob
    with_report: bool
    on_wait: Callable[[str], None] | None = None
    """Called with a message if another process uses the folder, before it is waited for; None refuses it."""
    reports: list[Path] = field(default_factory=list)
    """Reports that were written."""

    @property
    def steps(self) -> int:
        """Steps of the iterator on each photo."""
        return self.job.inverter.steps

    @property
    def report(self) -> Path:
        """The report that the run writes at its end."""
        return self.job.folder.path / REPORT

    def outcomes(self, on_step: OnStep | None = None) -> Generator[Outcome]:
        """Embed the photos; yields the outcome of each face, and writes results.json and report.html at the end.

        The line of each in results.jsonl is written as soon as it is done. Where no photo could be embedded, the other
        two are written only to replace older ones.

        Args:
            on_step: As for `LatentIterator.refine`.

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
                outcomes.close()  # waits for what is being written
                if self.with_report:
                    self._summarize(journal)

    def _summarize(self, journal: Journal) -> None:
        """Write the files about the run; older ones would be of another run."""
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
    """Choose the networks that options name."""
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
    """Prepare to embed photos into a folder; finished results there are kept.

    Args:
        photos: Files, folders and globs.
        out: The folder.
        options: How; its generator, device, precision and embedder count only without `components`.
        components: Networks that are loaded already.
        force: Make again what is finished.
        deciding: Entries of a result's stamp that must agree for it to be finished; None for all.
        with_report: Write results.json, results.jsonl and report.html, too, unless somebody else's would be replaced.
        warn: Called with what does not work as asked, but need not stop the run.
        on_wait: Called with a message if another process uses the folder, before it is waited for; None refuses it.

    Raises:
        UserError: A file cannot be used, or one of somebody else would be replaced.
    """
    options = options or EmbedOptions()
    if with_report and (theirs := foreign_summary(out)):
        warn(f"{theirs}: somebody else's, and stays; this run writes no {RESULTS}, no {LINES} and no {REPORT}")
        with_report = False
    found = find_photos(photos)
    components = components or components_for(options)
    setup = set_up(options, components, photos=found, out=out, warn=warn)
    return EmbedRun(found, setup.job(found, out, force=force, deciding=deciding), with_report, on_wait)

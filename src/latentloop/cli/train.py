"""The command `latentloop train`."""

import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from latentloop.cli.console import say
from latentloop.cli.inputs import refuse_missing
from latentloop.cli.options import UNTITLED
from latentloop.cli.train_progress import TrainProgress
from latentloop.options import with_changes
from latentloop.training.options import TrainOptions
from latentloop.training.settings_file import LENGTH, checkpoints_in, read_options
from latentloop.training.stopping import stop_signals

STOPPING = "latentloop: stopping after this step; once more stops at once"
"""Message after the first stop signal; the second one stops at once."""


@dataclass(frozen=True)
class Train:
    """Train an embedding network, which finds a photo's code in one pass, for any generator.

    The network proposes a code for each photo, an iterator improves it, and the best code found so far teaches the
    network (Guan et al., arXiv:2007.01758). Generated images, whose codes are known, are mixed in; without --data the
    network learns from these alone. The folder --out gets best.safetensors (the network, for embed --embedder),
    last.safetensors, validation.png (photo, one pass, with the iterator), log.jsonl, tensorboard/ (if TensorBoard is
    installed), codes.cache (the best code of each photo), config.json and checkpoints/. Ctrl-C saves and stops; the
    same command, or --resume, continues exactly there.

    Photos of faces, aligned as in FFHQ: latentloop train --data faces/ --validation held-out/ --out run

    A stopped run: latentloop train --resume run

    More steps for a finished run: latentloop train --resume run --steps 30000

    Other than faces, tar files: latentloop train --generator cats.pkl --identity none --data "shards/{000..099}.tar"

    Several GPUs: accelerate launch -m latentloop train --data faces/ --batch 64 --precision bfloat16

    Several machines, or more photos than memory holds: docs/training-at-scale.md
    """

    options: Annotated[TrainOptions, UNTITLED] = TrainOptions()
    resume: str | None = None
    """Folder of a run to resume with its settings; only steps, minutes and codes may be given anew."""

    def __post_init__(self) -> None:
        own = self._length | {"codes": self.options.codes}
        if self.resume is not None and self.options != with_changes(TrainOptions(), own):
            raise ValueError(
                "resume takes all settings from the run except steps, minutes and codes; leave out the other options"
            )

    @property
    def _length(self) -> dict[str, Any]:
        """Options given that change the length of a resumed run."""
        given, default = self.options.config, TrainOptions().config
        return {name: getattr(given, name) for name in LENGTH if getattr(given, name) != getattr(default, name)}

    def run(self) -> int:
        """Train, and print one line on stdout each time the run is saved; returns 130 if it was stopped."""
        longer = {} if self.resume is None else self._length
        options = self.options
        if self.resume is not None:
            options = with_changes(read_options(Path(self.resume), codes=options.codes), longer)
        generators = [options.generator, options.quick] if options.quick else [options.generator]
        # A run that resumes has its weights in a checkpoint: the network it started from may be gone.
        begun = None if checkpoints_in(options.out) else options.start
        refuse_missing(each=[*options.data, *options.validation], generators=generators, embedders=[begun])
        from latentloop.training import set_up_training

        with stop_signals(signal.SIGINT, signal.SIGTERM, on_ask=lambda: say(STOPPING, error=True)) as stopping:
            job = set_up_training(options, longer=bool(longer))
            job.stopping, begun_at = stopping, job.trainer.step
            if job.validation is None:  # not the first of several processes: it prints nothing
                for _ in job.run():
                    pass
                return 0 if job.finished else 130
            _name_skipped("measured on", job.validation.skipped.values())
            with TrainProgress(options.config.steps, job.trainer.step, options.config.batch) as progress:
                for metrics, saved in job.run():
                    progress.step(metrics, job.trainer.progress)
                    if saved:
                        say("  ".join(f"{name} {value:.4g}" for name, value in saved.items()))
        _name_skipped("learned from", job.trainer.photos.skipped.values() if job.trainer.photos else ())
        if not job.finished:
            say(f"latentloop: stopped; step {job.trainer.step} is saved, go on: latentloop train --resume {job.folder}")
            return 130
        if job.trainer.step == begun_at:
            say(f"latentloop: already finished after {begun_at} steps; --steps or --minutes make it longer", error=True)
        say(job.result)
        return 0


def _name_skipped(use: str, reasons: Iterable[str]) -> None:
    for reason in reasons:
        say(f"latentloop: not {use}: {reason}", error=True)

"""The command `latentloop metric`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.console import StageProgress, say
from latentloop.cli.inputs import refuse_missing
from latentloop.cli.options import UNTITLED
from latentloop.inversion.metric_options import MetricOptions


@dataclass(frozen=True)
class Metric:
    """Measure a generator once, so that its codes take half the steps.

    A few directions of a code change the image a hundred times as much as most others. An iterator that knows them
    can take steps that change the image alike in all directions, and needs about half of them for the same result.
    What is measured is nearly the same for all images of a generator (arXiv:2101.06006), so once is enough; the
    bundled generators come with theirs.

    The file goes to ~/.cache/latentloop/metrics, or into metrics in the folder that the environment variable
    LATENTLOOP_CACHE names. There embed, edit and bench find it from then on. It takes as long as 2000 steps of 256
    pixels, so it is worth its time from about 40 photos on.

    Try: latentloop metric ffhq.pkl
    """

    generator: Annotated[str, tyro.conf.Positional]
    """The file of a StyleGAN: ours, or .pkl, .pt or .pth as its project wrote it."""
    out: Path | None = None
    """File to write instead, such as one to share; nothing looks for it there."""
    options: Annotated[MetricOptions, UNTITLED] = MetricOptions()
    force: bool = False
    """Measure it again if it is here already."""

    def run(self) -> int:
        """Estimate the metric, and print where it is."""
        refuse_missing(generators=[self.generator])
        from latentloop.inversion.metric_job import make_metric

        with StageProgress() as progress:
            path = make_metric(
                self.generator,
                self.out,
                self.options,
                force=self.force,
                on_progress=lambda done, total: progress.show("codes", done, total),
            )
        say(path)
        if not self.out:
            say("embed, edit and bench take it from now on")
        return 0

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

    A few directions of a code change the image a hundred times as much as most others. An iterator that knows this
    metric takes steps that change the image equally in all directions, and needs about half as many for the same
    result. The metric is nearly the same for all images of a generator (arXiv:2101.06006), so one measurement is
    enough; the bundled generators come with theirs.

    The file goes to ~/.cache/latentloop/metrics, or into metrics in the folder that the environment variable
    LATENTLOOP_CACHE names; embed, edit and bench find it there. Measuring takes as long as 2000 steps at 256 pixels,
    which pays off from about 40 photos on.

    Try: latentloop metric ffhq.pkl
    """

    generator: Annotated[str, tyro.conf.Positional]
    """StyleGAN's file: ours, or .pkl, .pt or .pth as its project wrote it; also as hf://OWNER/REPO."""
    out: Path | None = None
    """Other file to write, such as one to share; commands do not look for it there."""
    options: Annotated[MetricOptions, UNTITLED] = MetricOptions()
    force: bool = False
    """Measure again even if the file exists."""

    def run(self) -> int:
        """Estimate the metric, and print the path of its file."""
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

"""The command `latentloop distill`."""

from dataclasses import dataclass
from typing import Annotated

from latentloop.cli.console import say, track
from latentloop.cli.inputs import refuse_missing
from latentloop.cli.options import UNTITLED
from latentloop.training.options import DistillOptions


@dataclass(frozen=True)
class Distill:
    """Train a smaller, faster generator to draw what --generator draws, from the same codes.

    The student starts as the teacher's first blocks with a new head, and learns from random codes. The folder --out
    gets NAME.safetensors, which every command's --generator accepts, log.jsonl and checkpoint.safetensors, which are
    renewed after each pool of images. Run the command again to resume: on the same machine the result is that of an
    uninterrupted run.

    A first try, a quarter of an hour on two cores: latentloop distill --steps 1000 --out small

    On a GPU: latentloop distill --batch 32 --pool 1024 --precision bfloat16 --compile --out small
    """

    options: Annotated[DistillOptions, UNTITLED] = DistillOptions()

    def run(self) -> int:
        """Distil, and print one line on stdout per pool of images."""
        options = self.options
        generators = [options.generator, options.start] if options.start else [options.generator]
        refuse_missing(each=options.photos, generators=generators)
        from latentloop.training import set_up_distilling

        job = set_up_distilling(options)
        config, photos = options.config, job.distillation.photos
        pools = -(-config.steps // config.steps_per_pool)
        for line in track(job.run(), pools, "pools", completed=job.distillation.step // config.steps_per_pool):
            say("  ".join(f"{name} {value:.4g}" for name, value in line.items()))
        for reason in (photos.skipped if photos else {}).values():
            say(f"latentloop: not learned from: {reason}", error=True)
        say(job.result)
        return 0

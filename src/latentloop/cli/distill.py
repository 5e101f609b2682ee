"""`latentloop distill`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latentloop.cli.options import Common
from latentloop.training.config import DistillConfig

if TYPE_CHECKING:
    from latentloop.pipeline.distill import DistillJob


@dataclass(frozen=True)
class Distill:
    """Teach a smaller, quicker generator to draw what --generator draws, from the same codes.

    The smaller one begins as the larger one's first blocks with a new head, and learns from random codes. The folder
    --out gets NAME.safetensors, which every command's --generator takes, log.jsonl and checkpoint.pt, renewed after
    each pool of images. Run it again and it goes on where it was stopped, exactly as if it never had been.

    A first try: latentloop distill --steps 1000 --out small

    On a GPU: latentloop distill --batch 32 --pool 1024 --precision bfloat16 --compile --out small
    """

    out: Path = Path("distilled")
    """Folder for the results."""
    common: Common = Common(generator="mobile-ffhq-1024")
    name: str = "student"
    """Of the new generator and its file."""
    resolution: int = 256
    """Pixels that it draws."""
    photos: tuple[str, ...] = ()
    """Aligned photos (files, folders, quoted globs) whose codes it shall draw well, too: without them the iterator
    leads it astray. The file keeps nothing of them."""
    start: str | None = None
    """A student, shipped or a file, to begin with instead of the teacher's blocks."""
    config: DistillConfig = DistillConfig()
    compile: bool = False
    """Draw through torch.compile: quicker after a minute; needs a C++ compiler."""

    def run(self) -> int:
        """Distil, with a line on stdout for each pool."""
        from latentloop.cli.console import say, track

        job = self._job()
        job.resume()
        pools = -(-self.config.steps // self.config.steps_per_pool)
        done = job.distillation.step // self.config.steps_per_pool
        for line in track(job.run(), pools, "pools", completed=done):
            say("  ".join(f"{name} {value:.4g}" for name, value in line.items()))
        say(job.result)
        return 0

    def _job(self) -> "DistillJob":
        import torch

        from latentloop.devices import find_device
        from latentloop.errors import UserError
        from latentloop.features.lpips import load_lpips
        from latentloop.generators import MobileStyleGAN, load_generator
        from latentloop.generators.registry import weights_checksum
        from latentloop.pipeline.distill import DistillJob, PhotoFolder
        from latentloop.pipeline.photos import find_photos
        from latentloop.training.distillation import Distillation
        from latentloop.training.student import begin_with, make_student

        device = find_device(self.common.device)
        teacher = load_generator(self.common.generator)
        if not isinstance(teacher, MobileStyleGAN):
            raise UserError(f"{self.common.generator}: only a MobileStyleGAN can be distilled")
        randomness = torch.Generator().manual_seed(self.common.seed)
        student = make_student(teacher, name=self.name, resolution=self.resolution, randomness=randomness)
        if self.start:
            begin_with(student, load_generator(self.start))
        photos = find_photos(self.photos)
        distillation = Distillation(
            teacher=teacher.to(device),
            student=student.to(device),
            lpips=load_lpips("alex", device=device),
            config=self.config,
            seed=self.common.seed,
            photos=PhotoFolder(photos, self.resolution) if photos else None,
            compiled=self.compile,
        )
        settings = {
            **asdict(self.config),
            "teacher_sha256": weights_checksum(self.common.generator),
            "resolution": self.resolution,
            "seed": self.common.seed,
            "start": weights_checksum(self.start) if self.start else None,
            "photos_used": len(photos),
        }
        return DistillJob(distillation, self.out, settings)

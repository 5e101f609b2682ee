"""`latentloop distill`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from latentloop.cli.options import Common
from latentloop.training.config import DistillConfig

if TYPE_CHECKING:
    from latentloop.generators import MobileStyleGAN
    from latentloop.training.distill_run import DistillJob


@dataclass(frozen=True)
class Distill:
    """Teach a smaller, quicker generator to draw what --generator draws, from the same codes.

    The smaller one begins as the larger one's first blocks with a new head, and learns from random codes. The folder
    --out gets NAME.safetensors, which every command's --generator takes, log.jsonl and checkpoint.safetensors, renewed
    after each pool of images. Run it again on the same machine and it goes on where it was stopped, exactly as if it
    never had been.

    A first try, a quarter of an hour on two cores: latentloop distill --steps 1000 --out small

    On a GPU: latentloop distill --batch 32 --pool 1024 --precision bfloat16 --compile --out small
    """

    out: Path = Path("distilled")
    """Folder for the results."""
    common: Common = Common()
    name: str = "student"
    """Of the new generator and its file."""
    resolution: int = 256
    """Pixels that it draws."""
    photos: tuple[str, ...] = ()
    """Aligned photos (files, folders, quoted globs) whose codes it shall draw well, too: without them the iterator
    leads it astray. That they are aligned is not checked, only that they are square. The file keeps nothing of
    them."""
    start: str | None = None
    """A student, shipped or a file, to begin with instead of the teacher's blocks."""
    config: DistillConfig = DistillConfig()
    compile: bool = False
    """Draw through torch.compile: quicker after a minute; needs a C++ compiler."""

    def __post_init__(self) -> None:
        if self.photos:
            self.config.check_photos()
        if self.config.steps < 1:
            raise ValueError(f"steps must be 1 or more, got {self.config.steps}")
        if not self.name or Path(self.name).name != self.name:
            raise ValueError(f"name must be a file's name without folders, got {self.name!r}")

    def run(self) -> int:
        """Distil, with a line on stdout for each pool."""
        from latentloop.cli.console import say, track

        job = self._job()
        job.resume()
        pools = -(-self.config.steps // self.config.steps_per_pool)
        done = job.distillation.step // self.config.steps_per_pool
        for line in track(job.run(), pools, "pools", completed=done):
            say("  ".join(f"{name} {value:.4g}" for name, value in line.items()))
        for reason in (job.distillation.photos.skipped if job.distillation.photos else {}).values():
            say(f"latentloop: not learned from: {reason}", error=True)
        say(job.result)
        return 0

    def _job(self) -> "DistillJob":
        from latentloop.devices import find_device, find_precision, repeatable_arithmetic
        from latentloop.errors import UserError
        from latentloop.features.lpips import load_lpips
        from latentloop.generators import MobileStyleGAN, load_generator
        from latentloop.generators.registry import weights_checksum
        from latentloop.photos.find import find_photos
        from latentloop.photos.sources import PhotoSource
        from latentloop.training.distill_run import DistillJob
        from latentloop.training.distillation import Distillation
        from latentloop.training.photos import PhotoSet

        repeatable_arithmetic()
        device = find_device(self.common.device)
        teacher = load_generator(self.common.generator)
        if not isinstance(teacher, MobileStyleGAN):
            raise UserError(f"{self.common.generator}: only a MobileStyleGAN can be distilled")
        sources = [PhotoSource(path) for path in find_photos(self.photos)]
        photos = PhotoSet(sources, self.resolution) if sources else None
        if photos:
            photos.load([0])  # if none can be used, say so before anything is written
        student = self._student(teacher)
        distillation = Distillation(
            teacher=teacher.to(device),
            student=student.to(device),
            lpips=load_lpips("alex", device=device, dtype=find_precision(self.config.precision, device)),
            config=self.config,
            seed=self.common.seed,
            photos=photos,
            compiled=self.compile,
        )
        settings = {
            **asdict(self.config),
            "teacher_sha256": weights_checksum(self.common.generator),
            "resolution": self.resolution,
            "seed": self.common.seed,
            "start": weights_checksum(self.start) if self.start else None,
            "photos": photos.digest() if photos else None,
            "name": self.name,
            "device": device.type,
            "compile": self.compile,
        }
        return DistillJob(distillation, self.out, settings)

    def _student(self, teacher: "MobileStyleGAN") -> "MobileStyleGAN":
        import torch

        from latentloop.errors import UserError
        from latentloop.generators import load_generator
        from latentloop.training.student import begin_with, make_student

        randomness = torch.Generator().manual_seed(self.common.seed)
        try:
            student = make_student(teacher, name=self.name, resolution=self.resolution, randomness=randomness)
        except ValueError as error:
            raise UserError(str(error)) from error
        if self.start:
            begin_with(student, load_generator(self.start))
        return student

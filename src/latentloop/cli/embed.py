"""`latentloop embed`."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from latentloop.cli.options import Common
from latentloop.defaults import MAX_PIXELS, SAMPLE_PSI
from latentloop.inversion.config import IteratorConfig
from latentloop.losses.config import LossConfig

if TYPE_CHECKING:
    from torch import Tensor

    from latentloop.generators import Generator
    from latentloop.pipeline.embed import EmbedJob


@dataclass(frozen=True)
class Embed:
    """Find the code of each photo, and save it with the image it draws and a report.

    Takes files, folders and quoted globs. Each photo's face is found and aligned as in FFHQ, then its code is
    optimized. The folder --out gets NAME.npz (the code), NAME.png (the reconstruction), aligned/NAME.png (what was
    reconstructed), results.json and report.html about the photos of this run. Run it again and it goes on where it was
    stopped.

    One photo: latentloop embed photo.jpg
    Many: latentloop embed holiday/ "more/*.png" --out codes --steps 200
    An FFHQ-aligned image: latentloop embed face.png --aligned --space w
    """

    photos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO...")]
    """Image files, folders, quoted globs."""
    out: Path = Path("embedded")
    """Folder for the results."""
    common: Common = Common()
    iterator: IteratorConfig = IteratorConfig()
    loss: LossConfig = LossConfig()
    start: str = "average"
    """Code to start from: average, sample (drawn with --seed, truncated to 0.7), or a code file."""
    face: str = "largest"
    """Of several faces in a photo: largest, all, or a number (1 is the largest)."""
    aligned: bool = False
    """The photos are square and FFHQ-aligned already: skip face detection."""
    batch: int = 1
    """Photos to optimize together; more is faster on a GPU and takes more memory."""
    max_pixels: int = MAX_PIXELS
    """Refuse photos of more pixels."""
    force: bool = False
    """Redo what is finished."""

    def __post_init__(self) -> None:
        if not self.photos:
            raise ValueError("name at least one photo, folder or glob")
        if self.batch < 1:
            raise ValueError(f"batch must be 1 or more, got {self.batch}")
        if self.face not in ("largest", "all") and not self.face.isdecimal():
            raise ValueError(f"face must be largest, all or a number, got {self.face}")

    def run(self) -> int:
        """Embed the photos; returns 2 if any could not be."""
        from latentloop.cli.console import EmbedProgress, say
        from latentloop.pipeline.embed import Failed, Outcome
        from latentloop.pipeline.photos import find_photos
        from latentloop.pipeline.results import Run, write_results

        photos, job = find_photos(self.photos), self._job()
        run = Run(job.iterator.generator.name, job.start.device, job.settings)
        outcomes: list[Outcome] = []
        try:
            with EmbedProgress(len(photos), self.iterator.steps) as progress:
                for outcome in job.run(photos, progress.step):
                    outcomes.append(outcome)
                    progress.done(outcome, len({o.photo for o in outcomes}))
        finally:
            if outcomes:
                say(write_results(job.folder, outcomes, run))
        return 2 if any(isinstance(outcome, Failed) for outcome in outcomes) else 0

    def _job(self) -> "EmbedJob":
        from latentloop.devices import find_device, repeatable_arithmetic
        from latentloop.evaluation.measure import load_evaluator
        from latentloop.faces import load_face_detector
        from latentloop.generators import load_generator
        from latentloop.inversion import LatentIterator
        from latentloop.losses import iterator_loss
        from latentloop.pipeline.embed import EmbedJob
        from latentloop.pipeline.folder import ResultFolder

        repeatable_arithmetic()
        device = find_device(self.common.device)
        generator = load_generator(self.common.generator, device=device)
        return EmbedJob(
            iterator=LatentIterator(generator, iterator_loss(self.loss, device=device), self.iterator),
            evaluator=load_evaluator(),
            detector=None if self.aligned else load_face_detector(),
            start=self._start(generator),
            folder=ResultFolder(self.out),
            settings=self._settings(generator),
            face=self.face,
            batch=self.batch,
            force=self.force,
            max_pixels=self.max_pixels,
        )

    def _start(self, generator: "Generator") -> "Tensor":
        import torch

        from latentloop.codes import start_from
        from latentloop.latents import mean_code, sample_codes

        if self.start == "average":
            return mean_code(generator)
        if self.start == "sample":
            randomness = torch.Generator().manual_seed(self.common.seed)
            return sample_codes(generator, 1, randomness=randomness, truncation_psi=SAMPLE_PSI)
        return start_from(Path(self.start), generator)

    def _settings(self, generator: "Generator") -> dict[str, Any]:
        """What the results depend on."""
        from latentloop.files import sha256_of
        from latentloop.generators.registry import weights_checksum

        start: dict[str, str | int] = {"start": self.start}
        if self.start == "sample":
            start["seed"] = self.common.seed
        elif self.start != "average":
            start["start_sha256"] = sha256_of(Path(self.start))
        return {
            "generator": generator.name,
            "weights_sha256": weights_checksum(self.common.generator),
            **asdict(self.iterator),
            **asdict(self.loss),
            **start,
            "face": self.face,
            "aligned": self.aligned,
        }

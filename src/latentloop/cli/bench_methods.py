"""The part of `latentloop bench` that compares methods."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from latentloop.defaults import GENERATOR, Precision

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class MethodBench:
    """What is compared, and on what."""

    root: Path | None = None
    """Folder with the images; --data says of what set."""
    data: Literal["folder", "celeba-hq", "cacd", "ffhq"] = "folder"
    """folder: all images in it. celeba-hq: the 2,824 of the test split, found through CelebA's lists, which lie in the
    folder, too. cacd: the Cross-Age Celebrity Dataset. ffhq: its last 10,000."""
    limit: int | None = None
    """Of the images, the first so many."""
    aligned: bool = False
    """The images are square and FFHQ-aligned already: skip face detection. Those of celeba-hq and ffhq are taken as
    they are."""
    methods: tuple[str, ...] = ("one-pass", "hybrid", "optimize", "image2stylegan", "stylegan-encoder", "projector")
    """What is compared: one-pass, hybrid, optimize, image2stylegan, image2stylegan++, stylegan-encoder, projector,
    projector-w+. With steps of its own: hybrid:100."""
    steps: int | None = None
    """Steps of all methods that are not ours; unset: as published, 100 to 8,000."""
    protocol: Literal["strict", "psp"] = "strict"
    """strict: floats, PSNR, SSIM, MS-SSIM and all LPIPS. psp: 8-bit pictures, as pSp's and e4e's tables."""
    features: Literal["alexnet", "vgg16"] = "alexnet"
    """What the earlier methods compare images with: VGG16, as published, once latentloop fetch vgg16 has been run, or
    AlexNet in its stead."""
    generator: str = GENERATOR
    """Of all methods: one we ship, or a StyleGAN's file."""
    embedder: str | None = None
    """The network of one-pass and hybrid; as in latentloop embed."""
    batch: int = 1
    """Images at a time."""
    out: Path = Path("benchmark")
    """Folder for the results; run it again and it goes on where it was stopped."""
    beside: tuple[Path, ...] = ()
    """--out folders of runs on other sets, to show in one table with this one, a column for each set. Protocol,
    generator, network and features must be the same."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch must be 1 or more, got {self.batch}")
        if (self.limit is not None and self.limit < 1) or (self.steps is not None and self.steps < 1):
            raise ValueError("limit and steps must be 1 or more")
        if not self.methods:
            raise ValueError("name at least one method")

    def run(self, device: "torch.device", precision: Precision) -> int:
        """Compare; returns 2 if an image or a method had to be left out."""
        from latentloop.benchmark.comparison_files import write_comparison
        from latentloop.benchmark.datasets import find_images
        from latentloop.benchmark.run import Outcome, Skipped
        from latentloop.benchmark.setup import Request, compare, find_beside, make_run
        from latentloop.cli.console import BenchProgress, say
        from latentloop.errors import UserError

        if self.root is None:
            raise UserError("name the folder with the images: --root DIR, such as examples/photos")
        images = find_images(self.data, self.root, limit=self.limit)
        if images.missing:
            say(f"latentloop: {images.summary()}", error=True)
        request = Request(
            out=self.out,
            generator=self.generator,
            methods=self.methods,
            steps=self.steps,
            protocol=self.protocol,
            features=self.features,
            embedder=self.embedder,
            aligned=self.aligned or self.data in ("celeba-hq", "ffhq"),
            batch=self.batch,
            device=device,
            precision=precision,
        )
        run = make_run(request)
        beside = find_beside(self.beside, run, images)
        outcomes: list[Outcome] = []
        try:
            with BenchProgress(run.job.entries, len(images.photos)) as progress:
                for outcome in run.job.run(images.photos, progress.step_of):
                    outcomes.append(outcome)
                    progress.done(outcome)
        finally:
            if any(not isinstance(outcome, Skipped) for outcome in outcomes):
                for path in write_comparison(self.out, compare(run, images, outcomes, beside)):
                    say(path)
        return 2 if any(isinstance(outcome, Skipped) for outcome in outcomes) else 0

"""The part of `latentloop bench` that compares methods."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from latentloop.defaults import GENERATOR, Precision

if TYPE_CHECKING:
    import torch

    from latentloop.encoders import Encoder
    from latentloop.evaluation.benchmark_report import Summary
    from latentloop.generators import Generator
    from latentloop.pipeline.benchmark import Benchmark, Entry, Measurement
    from latentloop.pipeline.contenders import Tools
    from latentloop.pipeline.datasets import ImageSet
    from latentloop.pipeline.meters import CallCounter

WARM_STEPS = 2


@dataclass(frozen=True)
class MethodBench:
    """What is compared, and on what."""

    root: Path | None = None
    """Folder with the images; the other options say of what set."""
    data: Literal["folder", "celeba-hq", "cacd", "ffhq"] = "folder"
    """folder: all images in it. celeba-hq: the 2,824 of the test split, found through CelebA's lists, which lie in the
    folder, too. cacd: the Cross-Age Celebrity Dataset. ffhq: its last 10,000."""
    limit: int | None = None
    """Of the images, the first so many."""
    aligned: bool = False
    """The images are square and FFHQ-aligned already: skip face detection. Those of celeba-hq and ffhq are
    taken as they are."""
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

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch must be 1 or more, got {self.batch}")
        if (self.limit is not None and self.limit < 1) or (self.steps is not None and self.steps < 1):
            raise ValueError("limit and steps must be 1 or more")
        if not self.methods or len(set(self.methods)) != len(self.methods):
            raise ValueError("name at least one method, and each once")

    def run(self, device: "torch.device", precision: Precision) -> int:
        """Compare; returns 2 if an image or a method had to be left out."""
        from latentloop.cli.console import BenchProgress, say
        from latentloop.devices import find_precision
        from latentloop.errors import UserError
        from latentloop.evaluation.benchmark_report import write_benchmark
        from latentloop.pipeline.benchmark import Measurement
        from latentloop.pipeline.datasets import find_images

        if self.root is None:
            raise UserError("name the folder with the images: --root DIR, such as examples/photos")
        images = find_images(self.data, self.root, limit=self.limit)
        if images.missing:
            say(f"latentloop: {images.summary()}", error=True)
        dtype = find_precision(precision, device)
        job = self._job(device, dtype)
        measured: list[Measurement] = []
        left_out: list[str] = []
        try:
            with BenchProgress(len(images.photos) * len(job.entries)) as progress:
                for outcome in job.run(images.photos, lambda entry: progress.step_of(entry.name)):
                    if isinstance(outcome, Measurement):
                        measured.append(outcome)
                    else:
                        left_out.append(outcome.reason)
                    progress.done(outcome)
        finally:
            if measured:
                for path in write_benchmark(self.out, self._summary(job, images, measured, left_out, str(dtype))):
                    say(path)
        return 2 if left_out else 0

    def _job(self, device: "torch.device", dtype: "torch.dtype") -> "Benchmark":
        from latentloop.evaluation.protocols import load_protocol
        from latentloop.faces import load_face_detector
        from latentloop.generators import load_generator
        from latentloop.pipeline.benchmark import Benchmark
        from latentloop.pipeline.meters import CallCounter

        loaded = load_generator(self.generator, device=device)
        counter = CallCounter()
        tools = self._tools(loaded, dtype, counter)
        aligned = self.aligned or self.data in ("celeba-hq", "ffhq")
        return Benchmark(
            out=self.out,
            entries=[self._entry(text, tools, dtype) for text in self.methods],
            generator=tools.generator,
            protocol=load_protocol(self.protocol),
            detector=None if aligned else load_face_detector(),
            counter=counter,
            batch=self.batch,
        )

    def _tools(self, loaded: "Generator", dtype: "torch.dtype", counter: "CallCounter") -> "Tools":
        from latentloop.baselines import load_networks
        from latentloop.generators import low_precision
        from latentloop.losses import iterator_loss
        from latentloop.pipeline.contenders import Tools

        device = loaded.latent_avg.device
        return Tools(
            generator=counter.counted(low_precision(loaded, dtype)),
            loss=iterator_loss(device=device, dtype=dtype),
            networks=load_networks(self.features, device=device, dtype=dtype),
            encoder=self._encoder(loaded),
        )

    def _encoder(self, generator: "Generator") -> "Encoder | None":
        from latentloop.encoders import load_encoder
        from latentloop.encoders.embedder_file import shipped_embedder

        name = self.embedder or shipped_embedder(generator)
        return load_encoder(name, generator) if name else None

    def _entry(self, text: str, tools: "Tools", dtype: "torch.dtype") -> "Entry":
        """A method from what the user says of it, such as "hybrid:100"."""
        from latentloop.errors import UserError
        from latentloop.generators.registry import weights_checksum
        from latentloop.pipeline.benchmark import Entry
        from latentloop.pipeline.contenders import METHODS

        name, _, wanted = text.partition(":")
        if name not in METHODS or (wanted and not wanted.isdecimal()):
            raise UserError(f"--methods {text}: not a method; there are {', '.join(METHODS)}, and such as hybrid:100")
        method = METHODS[name]
        ours = method.source == METHODS["hybrid"].source
        steps = int(wanted) if wanted else (self.steps if self.steps and not ours else method.steps)
        settings: dict[str, Any] = {
            "method": name,
            "steps": steps,
            "features": None if ours else self.features,
            "protocol": self.protocol,
            "weights_sha256": weights_checksum(self.generator),
            "embedder": self.embedder,
            "precision": str(dtype).removeprefix("torch."),
            "batch": self.batch,
            "aligned": self.aligned,
        }
        return Entry(
            name=f"{name}-{steps}" if method.steps else name,
            title=f"{method.title}, {steps} steps" if method.steps else method.title,
            note=method.note(steps, "" if ours else self.features),
            contender=method.make(tools, steps),
            warm_up=method.make(tools, min(steps, WARM_STEPS)),
            settings=settings,
        )

    def _summary(
        self,
        job: "Benchmark",
        images: "ImageSet",
        measured: "list[Measurement]",
        left_out: list[str],
        precision: str,
    ) -> "Summary":
        from latentloop.evaluation.benchmark_report import MethodLine, Summary
        from latentloop.pipeline.benchmark import describe_run

        results = {
            entry.name: [one.as_result() for one in measured if one.method == entry.name] for entry in job.entries
        }
        lines = [MethodLine(e.name, e.title, e.note, results[e.name]) for e in job.entries if results[e.name]]
        facts = {
            "data": images.summary(),
            "generator": job.generator.name,
            "protocol": f"{self.protocol}: {job.protocol.about}",
            "seconds": "of an image: its code, and drawing that at full size",
            **describe_run(job, precision),
        }
        return Summary(f"StyleGAN inversion: {images.name}", facts, job.protocol.columns, lines, left_out)

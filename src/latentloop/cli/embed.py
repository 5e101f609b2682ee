"""`latentloop embed`."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from latentloop.cli.options import Common
from latentloop.defaults import MAX_PIXELS, SAMPLE_PSI, Precision
from latentloop.inversion.config import IteratorConfig
from latentloop.losses.config import LossConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from latentloop.embedding.job import Embedded, EmbedJob, Outcome
    from latentloop.embedding.starts import Start
    from latentloop.generators import Generator
    from latentloop.inversion import IteratorChain

REPAYS = 3000
"""Steps of the iterator after which compiling has saved the time that it took, measured on two CPU cores."""


@dataclass(frozen=True)
class Embed:
    """Find the code of each photo, and save it with the image it draws and a report.

    Takes files, folders and quoted globs. Each photo's face is found and aligned as in FFHQ. Then its code is
    optimized, or found by an embedding network in one pass, or first the one and then the other. The folder --out gets
    NAME.npz (the code), NAME.png (the reconstruction), aligned/NAME.png (what was reconstructed), one-pass/NAME.png
    (what the network alone found), results.json and report.html about the photos of this run. Run it again and it goes
    on where it was stopped.

    One photo: latentloop embed photo.jpg

    Many: latentloop embed holiday/ "more/*.png" --out codes --steps 200

    An FFHQ-aligned image, closer to it: latentloop embed face.png --aligned --steps 300

    A rough code, soon: latentloop embed photo.jpg --steps 30

    In one pass: latentloop embed photo.jpg --method embed

    From what your own network says: latentloop embed photo.jpg --embedder run/best.safetensors

    With what you have: latentloop embed photo.jpg --generator ffhq.pkl --embedder e4e_ffhq_encode.pt

    Further, from the codes found so far: latentloop embed holiday/ --start codes --out better
    """

    photos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO...")]
    """Image files, folders, quoted globs."""
    out: Path = Path("embedded")
    """Folder for the results."""
    common: Common = Common()
    method: Literal["auto", "embed", "hybrid", "optimize"] = "auto"
    """embed: one pass of the network, no steps. hybrid: the iterator from the network's code, with half of --lr.
    optimize: the iterator from --start. auto: hybrid, but optimize where there is no network for the generator, or
    --start or --space ask for it."""
    embedder: str | None = None
    """The network: one we ship, a file from latentloop train, or a checkpoint of pSp, e4e or ReStyle for the
    generator. By default the one we ship for the generator."""
    iterator: IteratorConfig = IteratorConfig()
    loss: LossConfig = LossConfig()
    polish: int = 0
    """Further, smaller steps, at the end, on the generator that renders; for when --generator is a quicker one."""
    render: Literal["largest"] | int = "largest"
    """Pixels of the reconstructions: a shipped generator that takes the same codes draws them."""
    start: str = "average"
    """Code to start from: average, sample (drawn with --seed, truncated to 0.7), a code file, a folder of code files
    with the photos' names, such as an earlier --out, or the codes of other projects: NVIDIA's .npz, .npy, e4e's .pt,
    ReStyle's and rosinality's dicts. From codes of the photos' own, with half of --lr."""
    face: str = "largest"
    """Of several faces in a photo: largest, all, or a number (1 is the largest)."""
    aligned: bool = False
    """The photos are square and FFHQ-aligned already: skip face detection."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Draw through torch.compile, which takes half a minute and then saves a tenth: auto does from 3000 steps on, on
    the CPU. Needs a C++ compiler; without one it goes on as with off."""
    precision: Precision = "auto"
    """Of the iterator's drawing. auto is bfloat16 on a CPU that multiplies it by itself (a third quicker, as good for
    all that could be measured), else float32."""
    batch: int = 1
    """Photos to optimize together; more is faster on a GPU and takes more memory."""
    max_pixels: int = MAX_PIXELS
    """Refuse photos of more pixels."""
    force: bool = False
    """Redo what is finished."""

    def __post_init__(self) -> None:
        if not self.photos:
            raise ValueError("name at least one photo, folder or glob")
        self._check_method()
        if self.polish < 0:
            raise ValueError(f"polish must be 0 or more, got {self.polish}")
        if self.batch < 1:
            raise ValueError(f"batch must be 1 or more, got {self.batch}")
        if self.max_pixels < 1:
            raise ValueError(f"max_pixels must be 1 or more, got {self.max_pixels}")
        check_face(self.face)

    def _check_method(self) -> None:
        if self.method == "optimize" and self.embedder:
            raise ValueError("embedder is for --method embed or hybrid")
        if self.embedder or self.method in ("embed", "hybrid"):
            if self.start != "average":
                raise ValueError("embed and hybrid start from the network's code; leave start out")
            if self.iterator.space != "w+":
                raise ValueError("the network's codes are of space w+; for w take --method optimize")
        if self.method == "embed" and self.polish:
            raise ValueError("method embed takes no steps; with polish take hybrid")

    def run(self) -> int:
        """Embed the photos; returns 2 if any could not be."""
        from latentloop.cli.console import say
        from latentloop.embedding.job import Failed

        outcomes: list[Outcome] = []
        try:
            self._embed(outcomes)
        finally:
            if outcomes:
                say(self.out / "report.html")
        return 2 if any(isinstance(outcome, Failed) for outcome in outcomes) else 0

    def embedded(self) -> "list[Embedded]":
        """Embed the photos; those that could be."""
        from latentloop.embedding.job import Embedded

        outcomes: list[Outcome] = []
        self._embed(outcomes)
        return [outcome for outcome in outcomes if isinstance(outcome, Embedded)]

    def _embed(self, outcomes: "list[Outcome]") -> None:
        """Embed the photos, say what becomes of them, add that to the outcomes, and write the report."""
        from latentloop.cli.console import EmbedProgress
        from latentloop.embedding.results import Run, write_results
        from latentloop.photos.find import find_photos

        photos = find_photos(self.photos)
        job = self._job(photos)
        run = Run(_names(job), job.device, job.settings)
        try:
            with EmbedProgress(len(photos), job.iterators.steps) as progress:
                for outcome in job.run(photos, progress.step):
                    outcomes.append(outcome)
                    progress.done(outcome, len({o.photo for o in outcomes}))
        finally:
            if outcomes:
                write_results(job.folder, outcomes, run)

    def _job(self, photos: "Sequence[Path]") -> "EmbedJob":
        from latentloop.devices import find_device, repeatable_arithmetic
        from latentloop.generators import load_generator

        repeatable_arithmetic()
        device = find_device(self.common.device)
        generator = load_generator(self.common.generator, device=device)
        return self._resolved(generator)._job_on(generator, photos)

    def _resolved(self, generator: "Generator") -> "Embed":
        """The same with auto and the default network spelled out."""
        from latentloop.encoders.embedder_file import shipped_embedder
        from latentloop.errors import UserError

        network = self.embedder or shipped_embedder(generator)
        fits = network and self.start == "average" and self.iterator.space == "w+"
        if self.method == "optimize" or (self.method == "auto" and not fits):
            return replace(self, method="optimize")
        if not network:
            raise UserError(f"no network ships for {generator.name}; make one: latentloop train, see --embedder")
        return replace(self, method="hybrid" if self.method == "auto" else self.method, embedder=network)

    def _job_on(self, generator: "Generator", photos: "Sequence[Path]") -> "EmbedJob":
        from latentloop.devices import find_precision
        from latentloop.embedding.job import EmbedJob
        from latentloop.embedding.result_folder import ResultFolder
        from latentloop.evaluation.measure import load_evaluator
        from latentloop.faces import load_face_detector
        from latentloop.generators import load_renderer

        device = generator.device
        renderer = load_renderer(generator, None if self.render == "largest" else self.render, device=device)
        dtype = find_precision(self.precision, device)
        start = self._start(generator, photos)
        config = self._config(start)
        return EmbedJob(
            iterators=self._iterators(generator, renderer, dtype, config, len(photos)),
            renderer=renderer,
            evaluator=load_evaluator(),
            detector=None if self.aligned else load_face_detector(),
            start=start,
            show_start=self.method == "hybrid",
            folder=ResultFolder(self.out),
            settings=self._settings(generator, renderer, dtype, config),
            face=self.face,
            batch=self.batch,
            force=self.force,
            max_pixels=self.max_pixels,
        )

    def _iterators(
        self,
        generator: "Generator",
        renderer: "Generator",
        dtype: "torch.dtype",
        config: IteratorConfig,
        photos: int,
    ) -> "IteratorChain":
        from latentloop.inversion import IteratorChain, LatentIterator
        from latentloop.losses import iterator_loss

        loss = iterator_loss(self.loss, device=generator.device, dtype=dtype)
        drawn = self._drawn(generator, dtype, photos, config.steps)
        iterators = [LatentIterator(drawn, loss, config)]
        if self.polish:
            drawn = drawn if renderer is generator else self._drawn(renderer, dtype, photos, self.polish)
            iterators.append(LatentIterator(drawn, loss, self.iterator.polish(self.polish)))
        return IteratorChain(iterators)

    def _config(self, start: "Start") -> IteratorConfig:
        """Of the first iterator."""
        if self.method == "embed":
            return replace(self.iterator, steps=0)
        return self.iterator.from_good_start() if start.own else self.iterator

    def _drawn(self, generator: "Generator", dtype: "torch.dtype", photos: int, steps: int) -> "Generator":
        """The generator, drawn as the options say, for so many steps on so many photos."""
        from latentloop.cli.console import say
        from latentloop.generators import compiled, low_precision

        drawn = low_precision(generator, dtype)
        long = generator.device.type == "cpu" and photos * steps >= REPAYS * self.batch
        if self.compile == "on" or (self.compile == "auto" and long):
            return compiled(drawn, lambda reason: say(f"latentloop: not compiled: {reason}", error=True))
        return drawn

    def _start(self, generator: "Generator", photos: "Sequence[Path]") -> "Start":
        import torch

        from latentloop.embedding.starts import FolderStart, NetworkStart, SameStart, start_from_file
        from latentloop.encoders import load_encoder
        from latentloop.errors import UserError
        from latentloop.latents import mean_code, sample_codes

        if self.embedder:
            return NetworkStart(load_encoder(self.embedder, generator))
        if self.start == "average":
            return SameStart(mean_code(generator))
        if self.start == "sample":
            randomness = torch.Generator().manual_seed(self.common.seed)
            return SameStart(sample_codes(generator, 1, randomness=randomness, truncation_psi=SAMPLE_PSI))
        if Path(self.start).is_dir():
            if Path(self.start).resolve() == self.out.resolve():
                raise UserError(f"--start {self.start}: these codes would be overwritten; choose another --out")
            return FolderStart(Path(self.start), generator)
        return start_from_file(Path(self.start), generator, photos)

    def _settings(
        self, generator: "Generator", renderer: "Generator", dtype: "torch.dtype", config: IteratorConfig
    ) -> dict[str, Any]:
        """What the results depend on."""
        from latentloop.encoders.embedder_file import embedder_weights
        from latentloop.evaluation.measure import RESOLUTION
        from latentloop.files import sha256_of
        from latentloop.generators.registry import weights_checksum

        start: dict[str, str | int] = {"start": self.start}
        if self.embedder:
            weights = embedder_weights(self.embedder)
            start |= {"start": "network", "embedder_sha256": weights.sha256 or sha256_of(weights.path)}
        elif self.start == "sample":
            start["seed"] = self.common.seed
        return {
            "generator": generator.name,
            "weights_sha256": weights_checksum(self.common.generator),
            "render": renderer.resolution,
            "renderer_sha256": weights_checksum(renderer.name if renderer is not generator else self.common.generator),
            "resolution": min(RESOLUTION, generator.resolution),
            "precision": str(dtype).removeprefix("torch."),
            "method": self.method,
            "polish": self.polish,
            **asdict(config),
            **asdict(self.loss),
            **start,
            "face": self.face,
            "aligned": self.aligned,
        }


def check_face(face: str) -> None:
    """See that a text says which of several faces.

    Raises:
        ValueError: It does not.
    """
    if face not in ("largest", "all") and not (face.isdecimal() and int(face) > 0):
        raise ValueError(f"face must be largest, all or a number, got {face}")


def _names(job: "EmbedJob") -> str:
    """The generators at work."""
    names = [job.generator.name, f"drawn by {job.renderer.name}"]
    return ", ".join(names if job.renderer.name != job.generator.name else names[:1])

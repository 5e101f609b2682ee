"""Options of the benchmarks; imports no PyTorch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentloop.baselines.names import FeatureNet
from latentloop.benchmark.method_table import ChosenMethod, choose_methods
from latentloop.defaults import GENERATOR, QUICK_GENERATOR, Precision, Which
from latentloop.stamps import neutral, stamped_as

DataName = Literal["folder", "celeba-hq", "cacd", "ffhq"]
ProtocolName = Literal["strict", "psp"]
ALIGNED_SETS: tuple[DataName, ...] = ("celeba-hq", "ffhq")
"""Image sets that consist of aligned faces."""
NO_ROOT = "name the folder with the images, such as examples/photos"
"""Error message if neither images nor their folder are given."""


@dataclass(frozen=True)
class MachineOptions:
    """Device and precision of a benchmark."""

    device: str = "auto"
    """Device to compute on: auto, cpu, cuda, cuda:1, mps ..."""
    precision: Precision = "auto"
    """Precision of the generator and of the iterator's loss: auto is bfloat16 on a CPU with bfloat16 instructions,
    otherwise float32, as in latentloop embed."""


@dataclass(frozen=True)
class ComparisonOptions:
    """Methods to compare, and the images to compare them on."""

    root: Path | None = neutral(None)
    """Folder with the images of the set."""
    data: DataName = neutral("folder")
    """Image set in the folder. folder: all its images. celeba-hq: the 2,824 of the test split, by CelebA's lists in the
    same folder. cacd: the Cross-Age Celebrity Dataset. ffhq: the last 10,000."""
    limit: int | None = neutral(None)
    """Number of images to use, the first ones of the set. Default: all."""
    aligned: bool = False
    """The images are already square and aligned as FFHQ: skip face detection. celeba-hq and ffhq always are."""
    methods: tuple[str, ...] = stamped_as(
        "method", default=("one-pass", "hybrid", "optimize", "image2stylegan", "stylegan-encoder", "projector")
    )
    """Methods to compare: one-pass, two-looks, instant, balanced, best (as in latentloop embed), hybrid, optimize,
    hybrid-features, hybrid-weights, image2stylegan, image2stylegan++, stylegan-encoder, projector, projector-w+, pti,
    dhr-like. A number of steps may follow: hybrid:100."""
    steps: int | None = stamped_as("method", default=None)  # each method's stamp has its own
    """Number of steps of all methods that are not ours. Default: as published, 100 to 8,000."""
    protocol: ProtocolName = neutral("strict")  # codes stay as they are, and are measured by each protocol
    """Evaluation protocol. strict: floats, PSNR, SSIM, MS-SSIM and all LPIPS. psp: 8-bit images, as in the tables of
    pSp and e4e."""
    full_size: bool = neutral(False)  # codes stay as they are, and are measured once more
    """Also measure reconstructions at full size: LPIPS on the face's own pixels, if the photo has enough, and the
    pattern of periods 2 and 4. Takes half a second per image at 1024 pixels."""
    edits: bool = neutral(False)  # likewise
    """Also edit the codes, and measure the cost as latentloop bench editability does by default: ID after edits of
    equal visible strength, and how well edits are embedded and undone. Takes half a minute per image at 1024 pixels on
    two cores."""
    features: FeatureNet = "alexnet"
    """Classifier whose features the earlier methods compare: vgg16, as published, after latentloop fetch vgg16; or
    alexnet, which is bundled."""
    generator: str = stamped_as("weights_sha256", default=GENERATOR)
    """Generator of all methods: a bundled one, or a StyleGAN's file."""
    which: Which = stamped_as("weights_sha256", default="g_ema")
    """Weights to read if a StyleGAN's file has both: g_ema, their running mean, or g, the weights as trained."""
    embedder: str | None = stamped_as("embedder_sha256", default=None)
    """Embedding network of one-pass and hybrid: a bundled one, a file from latentloop train, or a checkpoint of pSp,
    e4e or ReStyle for the generator. Default: the one bundled for the generator."""
    batch: int = 1
    """Number of images inverted together."""
    out: Path = neutral(Path("benchmark"))
    """Folder for the results; run it again and it continues where it stopped."""
    beside: tuple[Path, ...] = neutral(())
    """Result folders of runs on other image sets, shown in one table with this one, one column per set. They must
    share protocol, generator, network and features."""
    machine: MachineOptions = MachineOptions()

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch must be 1 or more, got {self.batch}")
        if (self.limit is not None and self.limit < 1) or (self.steps is not None and self.steps < 1):
            raise ValueError("limit and steps must be 1 or more")
        _ = self.chosen_methods

    @property
    def chosen_methods(self) -> tuple[ChosenMethod, ...]:
        """Methods to compare, with the number of steps of each."""
        return choose_methods(self.methods, steps=self.steps)

    @property
    def takes_aligned(self) -> bool:
        """True if the images are already aligned, by option or because the set is."""
        return self.aligned or self.data in ALIGNED_SETS


Engine = Literal["onnx", "openvino"]
"""Runtimes that a generator can be timed in beside PyTorch."""


@dataclass(frozen=True)
class SpeedOptions:
    """Generators and batch sizes to time, and the number of runs."""

    generators: tuple[str, ...] = (QUICK_GENERATOR, GENERATOR)
    """Generators to time: bundled ones, or files of StyleGANs."""
    batches: tuple[int, ...] = (1, 8)
    """Batch sizes to time."""
    compile: bool = False
    """Also time the generator through torch.compile, which takes a minute per row; for training, compile everything."""
    engines: tuple[Engine, ...] = ()
    """Other runtimes to draw the exported generators with, in float32 on the CPU: onnx (ONNX Runtime), openvino."""
    runs: int = 10
    """Number of runs of each measurement; the median is reported."""

    def __post_init__(self) -> None:
        if not self.generators:
            raise ValueError("name at least one generator")
        if self.runs < 1 or not self.batches or min(self.batches) < 1:
            raise ValueError("runs and batches must be 1 or more")

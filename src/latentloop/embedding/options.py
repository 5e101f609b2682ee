"""Options of embedding; imports no PyTorch, so that `--help` is fast."""

from dataclasses import asdict, dataclass, replace
from typing import Literal, TypeVar

from latentloop.common import Common
from latentloop.defaults import MAX_PIXELS, Precision
from latentloop.embedding.quality import Preset, Quality, preset_of
from latentloop.inversion.beyond_config import BeyondConfig
from latentloop.inversion.config import IteratorConfig, Space
from latentloop.inversion.prior_config import PriorConfig
from latentloop.losses.config import LossConfig
from latentloop.optim.names import OptimizerName
from latentloop.options import check_choices
from latentloop.stamps import left_out_at, neutral, stamped_as

Method = Literal["auto", "embed", "hybrid", "optimize"]
OPEN_PRIOR = PriorConfig(lambda_near=None, lambda_align=None, lambda_spread=None, lambda_fine=None)
T = TypeVar("T")


def _given(value: T | None, default: T) -> T:
    return default if value is None else value


@dataclass(frozen=True)
class FaceOptions:
    """Choice of the face in a photo."""

    face: str = "largest"
    """Face to use if a photo has several: largest, all, or a number (1 is the largest)."""
    aligned: bool = False
    """The photos are already square and aligned as FFHQ: skip face detection."""
    max_pixels: int = neutral(MAX_PIXELS)
    """Refuse photos with more pixels than this."""

    def __post_init__(self) -> None:
        if self.face not in ("largest", "all") and not (self.face.isdecimal() and int(self.face) > 0):
            raise ValueError(f"face must be largest, all or a number, got {self.face}")
        if self.max_pixels < 1:
            raise ValueError(f"max_pixels must be 1 or more, got {self.max_pixels}")


@dataclass(frozen=True)
class SearchOptions:
    """Settings of inversion shared by all commands, so that each can use the others' codes."""

    embedder: str | None = stamped_as("embedder_sha256", default=None)
    """Embedding network: a bundled one, a file from latentloop train, or a checkpoint of pSp, e4e or ReStyle for the
    generator; also as hf://OWNER/REPO. Default: the one bundled for the generator."""
    quality: Quality = stamped_as("steps", "lr", "ramp_up", default="balanced")
    """Preset for options that are not given.
    instant: no steps; a second network predicts what no code draws, see refine. Where there is none, or with refine
    none, 8 steps on the small generator of the same latent space.
    balanced: 12 steps, and 12 beyond the code (30 where no network predicts them), which find what no code draws: the
    very person, see refine; the default.
    best: 50 steps, and 30 beyond the code; slightly closer, about twice as long."""
    steps: int | None = stamped_as("steps", default=None)
    """Steps of the iterator: more are closer to the photo, but edit less well. In balanced quality, giving steps leaves
    out those beyond the code, unless refine is given, too. 0: only the network's pass. Default, in balanced quality: 12
    from the network's or an earlier code, 100 from the mean latent."""
    lr: float | None = stamped_as("lr", default=None)
    """Largest step size of the iterator: about the root mean square change of a code's numbers per step, in units of W.
    Default, in balanced quality: from the network's or an earlier code 0.06 with the generator's metric (0.085 in runs
    of 25 steps and fewer) and 0.02 without, 0.08 from the mean latent."""
    precision: Precision = stamped_as("precision", default="auto")
    """Precision of the generator in the iterator: auto is bfloat16 on a CPU with bfloat16 instructions, a third faster
    without measurable loss, otherwise float32."""

    looks: int = left_out_at(1, default=1)
    """Passes of the network over a photo. 2: after the first pass it sees what its code draws, and corrects the code,
    if it was trained for that; closer for a third of a second, which pays off if few or no steps follow."""

    def __post_init__(self) -> None:
        check_choices(self)
        self.sizes(preset_of(self.quality, near=True))
        if self.looks not in (1, 2):
            raise ValueError(f"looks must be 1 or 2, got {self.looks}")

    def sizes(self, preset: Preset) -> IteratorConfig:
        """Combine the given steps and step size of the iterator with a preset's."""
        steps = _given(self.steps, preset.steps)
        return IteratorConfig(steps=steps, lr=_given(self.lr, preset.lr_for(steps)))


@dataclass(frozen=True)
class StepOptions:
    """Optimizer and step-size schedule of the iterator."""

    optimizer: OptimizerName = IteratorConfig.optimizer
    """Optimizer of the iterator: muon, which needs fewer steps, or adam, as in the papers (lr 0.1 with ramp-down 0.3
    suits it). In space w it is always adam."""
    ramp_up: float | None = None
    """Share of the steps, at the start, in which the step size grows from 0; runs of 50 steps and more then undo a step
    that leaves a photo worse than its start. Default: 0.1 from the network's or an earlier code, where a full first
    step would raise the loss; 0 from the mean latent."""
    ramp_down: float = IteratorConfig.ramp_down
    """Share of the steps, at the end, in which the step size falls to 0 along a cosine."""
    space: Space = IteratorConfig.space
    """Latent space. w: one style for all layers, easier to edit; w+: one style per layer, closer to the photo."""
    patience: int = IteratorConfig.patience
    """Stop refining a photo after this many steps without a lower loss; 0 never stops early."""
    metric: Literal["auto", "off"] = stamped_as("metric_sha256", default="auto")
    """Perceptual metric of the generator, with which muon needs half the steps. auto: use it if there is one; bundled
    generators have theirs, latentloop metric measures others."""

    def __post_init__(self) -> None:
        check_choices(self)
        self.applied(IteratorConfig())

    def applied(self, config: IteratorConfig) -> IteratorConfig:
        """Override settings of the iterator with these options; None keeps the value of `config`."""
        return replace(
            config,
            optimizer=self.optimizer,
            ramp_up=_given(self.ramp_up, config.ramp_up),
            ramp_down=self.ramp_down,
            space=self.space,
            patience=self.patience,
        )


@dataclass(frozen=True)
class EmbedOptions:
    """Settings of an embedding job."""

    common: Common = Common()
    method: Method = "auto"
    """embed: one pass of the network, no steps. hybrid: the iterator from the network's code. optimize: the iterator
    from --start. auto: hybrid, but optimize if the generator has no network, or if start or space w is given."""
    search: SearchOptions = SearchOptions()
    step: StepOptions = StepOptions()
    loss: LossConfig = LossConfig(lambda_identity=None)
    prior: PriorConfig = OPEN_PRIOR
    polish: int = 0
    """Additional smaller steps at the end, on the generator that draws the results; useful if the iterator uses another
    one."""
    full_size_steps: int = left_out_at(0, default=0)
    """Additional steps at the very end that also compare the eyes, the mouth and the hair with the photo's own pixels,
    on the generator that draws the results. Skipped for faces that are enlarged more than twice to its size."""
    beyond: BeyondConfig = BeyondConfig()
    render: Literal["largest"] | int = stamped_as("render", "renderer_sha256", default="largest")
    """Size of the reconstructions in pixels: a bundled generator of the same latent space draws them."""
    start: str = stamped_as("start", default="auto")
    """Code to start from: auto (the network's, or the mean latent without a network), average (the mean latent), sample
    (random, truncated to 0.7), a code file, a folder of code files named like the photos, such as an earlier run's, or
    codes of other projects: NVIDIA's .npz, .npy, e4e's .pt, ReStyle's and rosinality's dicts."""
    faces: FaceOptions = FaceOptions()
    compile: Literal["auto", "on", "off"] = neutral("auto")
    """Draw through torch.compile, which costs half a minute and then saves a tenth of the time: auto does so from 3000
    steps on, on the CPU. Needs a C++ compiler; without one it continues as with off."""
    batch: int = neutral(1)
    """Photos optimized together; more is faster on a GPU and takes more memory."""
    pictures: bool = neutral(True)
    """Write pictures beside the codes (the aligned photo and the reconstructions, 2 to 3 MB at 1024 pixels), and show
    them in the report. Every command can read codes without pictures; a later run with pictures recomputes such
    results."""

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("polish", "full_size_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.batch < 1:
            raise ValueError(f"batch must be 1 or more, got {self.batch}")
        if self.method == "optimize" and self.search.embedder:
            raise ValueError("method optimize takes no embedder; choose embed or hybrid")
        if self.search.embedder or self.method in ("embed", "hybrid"):
            if self.start != "auto":
                raise ValueError("embed and hybrid start from the network's code; leave start out")
            if self.step.space != "w+":
                raise ValueError("the network's codes are of space w+; for w use method optimize")
        if self.method == "embed" and (self.polish or self.full_size_steps or self.beyond.steps):
            raise ValueError("method embed takes no steps; with polish, full_size_steps or refine use hybrid")

    @property
    def _code_alone(self) -> bool:
        """Whether steps are given without a quality, which asks for the code alone."""
        return self.search.steps is not None and self.search.quality == SearchOptions.quality

    def filled(self, preset: Preset) -> "EmbedOptions":
        """Return a copy with a preset's value for each option that is not given."""
        search, loss = self.search, self.loss
        sizes = search.sizes(preset)
        moves = search.steps != 0  # 0, if given, asks for the start alone
        prior = {name: _given(value, getattr(preset.prior, name)) for name, value in asdict(self.prior).items()}
        return replace(
            self,
            search=replace(search, steps=sizes.steps, lr=sizes.lr),
            step=replace(self.step, ramp_up=_given(self.step.ramp_up, preset.ramp_up)),
            loss=replace(loss, lambda_identity=_given(loss.lambda_identity, preset.lambda_identity)),
            prior=PriorConfig(**prior),
            beyond=self.beyond.filled(preset.refine if moves and not self._code_alone else "none", preset.refine_steps),
        )

"""Options of embedding; kept apart so that reading them needs no PyTorch."""

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
    """Face to take if a photo has several: largest, all, or a number (1 is the largest)."""
    aligned: bool = False
    """The photos are square and FFHQ-aligned already: skip face detection."""
    max_pixels: int = neutral(MAX_PIXELS)
    """Refuse photos of more pixels."""

    def __post_init__(self) -> None:
        if self.face not in ("largest", "all") and not (self.face.isdecimal() and int(self.face) > 0):
            raise ValueError(f"face must be largest, all or a number, got {self.face}")
        if self.max_pixels < 1:
            raise ValueError(f"max_pixels must be 1 or more, got {self.max_pixels}")


@dataclass(frozen=True)
class SearchOptions:
    """Settings of inversion that all commands share, so that they can use each other's codes."""

    embedder: str | None = stamped_as("embedder_sha256", default=None)
    """Embedding network: a bundled one, a file from latentloop train, or a checkpoint of pSp, e4e or ReStyle for the
    generator. Default: the one that is bundled for the generator."""
    quality: Quality = stamped_as("steps", "lr", "ramp_up", default="balanced")
    """What the codes may cost; an option that is given, such as steps, counts instead of its part of it.
    instant: 8 steps on the quick generator of the same latent space; a quarter nearer (LPIPS) than one pass.
    balanced: 12 steps, and 30 beyond the code, which find what no code draws: the very person, see refine; the default.
    best: 50 steps, and 30 beyond the code; a little nearer, half as long again."""
    steps: int | None = stamped_as("steps", default=None)
    """Steps of the iterator: more come closer to the photo, but edit less well. In balanced quality they are all that
    is done, unless refine is given, too. 0: the network's one pass alone. Default, in balanced quality: 12 from the
    network's or an earlier code, 100 from the mean latent."""
    lr: float | None = stamped_as("lr", default=None)
    """Largest step size of the iterator: about the root mean square of a number's change, in units of W. Default, in
    balanced quality: from the network's or an earlier code 0.06 with the generator's metric (0.085 in runs of 25 steps
    and fewer) and 0.02 without, 0.08 from the mean latent."""
    precision: Precision = stamped_as("precision", default="auto")
    """Precision of the generator in the iterator: auto is bfloat16 on a CPU with bfloat16 instructions, a third faster
    without measurable loss, else float32."""

    looks: int = left_out_at(1, default=1)
    """Looks of the network at a photo. 2: it looks again, at what its first code draws, and improves the code, if it is
    trained for that; nearer for a third of a second, which pays where few steps or none follow."""

    def __post_init__(self) -> None:
        check_choices(self)
        self.sizes(preset_of(self.quality, near=True))
        if self.looks not in (1, 2):
            raise ValueError(f"looks must be 1 or 2, got {self.looks}")

    def sizes(self, preset: Preset) -> IteratorConfig:
        """Steps and step size of the iterator: those that are given, or a preset's."""
        steps = _given(self.steps, preset.steps)
        return IteratorConfig(steps=steps, lr=_given(self.lr, preset.lr_for(steps)))


@dataclass(frozen=True)
class StepOptions:
    """Optimizer and step-size schedule of the iterator."""

    optimizer: OptimizerName = IteratorConfig.optimizer
    """Optimizer of the iterator: muon, which needs fewer steps, or adam, as in the papers (lr 0.1 with ramp-down 0.3
    suits it). In space w it is always adam."""
    ramp_up: float | None = None
    """Share of the steps in which the step size grows from 0; runs of 50 steps and more then undo a step that leaves a
    photo worse than its start. Default: 0.1 from the network's or an earlier code, so that the loss seldom rises at
    first; 0 from the mean latent."""
    ramp_down: float = IteratorConfig.ramp_down
    """Share of the steps, at the end, in which the step size falls to 0 along a cosine."""
    space: Space = IteratorConfig.space
    """Latent space. w: one style for all layers, easier to edit; w+: one style per layer, closer to the photo."""
    patience: int = IteratorConfig.patience
    """Stop with a photo once this many steps brought no lower loss; 0 never does."""
    metric: Literal["auto", "off"] = stamped_as("metric_sha256", default="auto")
    """Perceptual metric of the generator, with which muon needs half the steps. auto: take it where there is one; those
    of bundled generators are in the package, latentloop metric makes others."""

    def __post_init__(self) -> None:
        check_choices(self)
        self.applied(IteratorConfig())

    def applied(self, config: IteratorConfig) -> IteratorConfig:
        """Settings of the iterator with these options, and those of `config` that they leave open."""
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
    """Settings of a job that embeds photos."""

    common: Common = Common()
    method: Method = "auto"
    """embed: one pass of the network, no steps. hybrid: the iterator from the network's code. optimize: the iterator
    from the start. auto: hybrid, but optimize where there is no network for the generator, or a start or space w is
    asked for."""
    search: SearchOptions = SearchOptions()
    step: StepOptions = StepOptions()
    loss: LossConfig = LossConfig(lambda_identity=None)
    prior: PriorConfig = OPEN_PRIOR
    polish: int = 0
    """Additional smaller steps at the end, on the rendering generator; useful if the iterator uses another one."""
    full_size_steps: int = left_out_at(0, default=0)
    """Additional steps at the very end that also compare the eyes, the mouth and the hair with the photo's own pixels,
    on the rendering generator. Not for faces that are enlarged more than twice to the size that it draws."""
    beyond: BeyondConfig = BeyondConfig()
    render: Literal["largest"] | int = stamped_as("render", "renderer_sha256", default="largest")
    """Size of the reconstructions in pixels: a bundled generator of the same latent space draws them."""
    start: str = stamped_as("start", default="auto")
    """Code to start from: auto (the network's, or the mean latent where there is no network), average (the mean
    latent), sample (random, truncated to 0.7), a code file, a folder of code files with the photos' names, such as an
    earlier run's, or codes of other projects: NVIDIA's .npz, .npy, e4e's .pt, ReStyle's and rosinality's dicts."""
    faces: FaceOptions = FaceOptions()
    compile: Literal["auto", "on", "off"] = neutral("auto")
    """Draw through torch.compile, which takes half a minute and then saves a tenth: auto does from 3000 steps on, on
    the CPU. Needs a C++ compiler; without one it goes on as with off."""
    batch: int = neutral(1)
    """Photos to optimize together; more is faster on a GPU and takes more memory."""
    pictures: bool = neutral(True)
    """Write pictures beside the codes (the aligned photo and the reconstructions, 2 to 3 MB at 1024 pixels), and show
    them in the report. Every command reads codes without pictures, too; a later run that wants pictures makes such
    results anew."""

    def __post_init__(self) -> None:
        check_choices(self)
        for name in ("polish", "full_size_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if self.batch < 1:
            raise ValueError(f"batch must be 1 or more, got {self.batch}")
        if self.method == "optimize" and self.search.embedder:
            raise ValueError("method optimize takes no embedder; take embed or hybrid")
        if self.search.embedder or self.method in ("embed", "hybrid"):
            if self.start != "auto":
                raise ValueError("embed and hybrid start from the network's code; leave start out")
            if self.step.space != "w+":
                raise ValueError("the network's codes are of space w+; for w take method optimize")
        if self.method == "embed" and (self.polish or self.full_size_steps or self.beyond.steps):
            raise ValueError("method embed takes no steps; with polish, full_size_steps or refine take hybrid")

    @property
    def _code_alone(self) -> bool:
        """Whether a number of steps is given and no other quality: then the code alone is meant, as it is for 0."""
        return self.search.steps is not None and self.search.quality == SearchOptions.quality

    def filled(self, preset: Preset) -> "EmbedOptions":
        """Copy the options with a preset's value for each that is left open."""
        search, loss = self.search, self.loss
        sizes = search.sizes(preset)
        prior = {name: _given(value, getattr(preset.prior, name)) for name, value in asdict(self.prior).items()}
        return replace(
            self,
            search=replace(search, steps=sizes.steps, lr=sizes.lr),
            step=replace(self.step, ramp_up=_given(self.step.ramp_up, preset.ramp_up)),
            loss=replace(loss, lambda_identity=_given(loss.lambda_identity, preset.lambda_identity)),
            prior=PriorConfig(**prior),
            beyond=self.beyond.filled(preset.refine if sizes.steps and not self._code_alone else "none"),
        )

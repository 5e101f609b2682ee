"""Table of the methods that a benchmark can compare, with what was published about each; imports no PyTorch."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from latentloop.baselines import steps as published
from latentloop.embedding.quality import NEAR, PREDICTED
from latentloop.inversion.beyond_config import REFINE_STEPS

IN_INSTANT, IN_BALANCED = (one.steps + one.refine_steps for one in (PREDICTED["instant"], PREDICTED["balanced"]))
"""Total steps of these qualities of `latentloop embed`, beyond the code included, where a network predicts those."""
IN_FEATURES, IN_BEST = (NEAR[quality].steps + REFINE_STEPS for quality in ("balanced", "best"))
"""Total steps of other methods, with a whole refinement."""
OURS = "arXiv:2007.01758"
"""Source of our own methods (Guan et al.)."""
OF_FACES = f"{NEAR['balanced'].lambda_identity:g} times a distance in earlier layers of the network of ID"
"""Identity term of our iterator. ID is not in it, the cosine of that network's embeddings, but it favours ID."""
ITERATED = f"MSE and LPIPS (alex), on faces also {OF_FACES}"
"""Loss of our iterator."""
LIKE_EMBED = f"{ITERATED}, at the sizes and on the generators of latentloop embed"
"""Loss of the methods that are qualities of `latentloop embed`."""
UNPREDICTED = "{} steps on generators without a feature encoder"
"""Note on methods whose steps a prediction shortens."""
AT_256 = "images at 256 pixels"
"""Note on methods that were published for larger images."""
HALVED = "its threshold of LPIPS halved for that"
"""Note on methods whose stopping threshold is adapted to 256 pixels."""


@dataclass(frozen=True)
class Method:
    """An inversion method: its source, its published number of steps, and what our version changes."""

    title: str
    source: str
    """Paper or project that describes it."""
    steps: int
    """Number of steps as published; 0 for a method without steps."""
    minimizes: str
    """Quantities that it minimizes; metrics close to them favour it."""
    changes: Sequence[str] = ()
    """Differences from the publication."""
    uses_noise: bool = False
    """True if it optimizes noise maps, on generators that have them."""
    steps_on_request: bool = False
    """True if it takes no steps unless some are requested."""
    needs_float32: bool = False
    """True if it changes the weights or features of the generator that its code is found with."""

    @property
    def ours(self) -> bool:
        """True for our own methods, False for earlier ones."""
        return self.source == OURS


def split_steps(steps: int, first: int, second: int) -> tuple[int, int]:
    """Divide a number of steps between two stages in the proportion of their own numbers."""
    later = round(steps * second / (first + second))
    return steps - later, later


def _share(first: int, second: int) -> str:
    share = Fraction(first, first + second)
    return f"{share.numerator} of {share.denominator}"


METHODS: dict[str, Method] = {
    "one-pass": Method("Ours, one pass", OURS, 0, "nothing"),
    "two-looks": Method(
        "Ours, two looks", OURS, 0, "nothing", ("the network sees what its first code draws, as in arXiv:2104.02699",)
    ),
    "instant": Method(
        "Ours, instant",
        OURS,
        IN_INSTANT,
        f"nothing where a network predicts the refinement, elsewhere in {NEAR['instant'].steps} steps {LIKE_EMBED}",
        steps_on_request=True,
    ),
    "balanced": Method("Ours, balanced", OURS, IN_BALANCED, LIKE_EMBED, (UNPREDICTED.format(IN_FEATURES),)),
    "best": Method("Ours, best", OURS, IN_BEST, LIKE_EMBED),
    "hybrid": Method("Ours, hybrid", OURS, 50, ITERATED),
    "optimize": Method("Ours, iterator alone", OURS, 100, ITERATED),
    "hybrid-features": Method("Ours, hybrid and features", OURS, IN_FEATURES, ITERATED),
    "hybrid-weights": Method("Ours, hybrid and weights", OURS, IN_BEST, ITERATED),
    "image2stylegan": Method(
        "Image2StyleGAN",
        "arXiv:1904.03189",
        published.STYLES,
        "MSE and squared differences of features",
        (AT_256, "the best code kept"),
    ),
    "image2stylegan++": Method(
        "Image2StyleGAN++",
        "arXiv:1911.11544",
        published.STYLES + published.NOISE,
        "MSE and squared differences of features, then MSE by noise maps",
        (AT_256, "the best code kept"),
        uses_noise=True,
    ),
    "stylegan-encoder": Method(
        "StyleGAN-Encoder",
        "github.com/pbaylies/stylegan-encoder",
        published.STYLEGAN_ENCODER,
        "features, pixels, MS-SSIM, LPIPS, distance from the mean",
        (
            "starts from our network, if there is one, not from its own",
            "Adam with its presets for Adam instead of GGT",
            "no masks, sharpening, early stop or discriminator",
        ),
    ),
    "projector": Method(
        "Projector, W", "arXiv:1912.04958", published.PROJECTOR, "LPIPS by the features", (AT_256,), uses_noise=True
    ),
    "projector-w+": Method(
        "Projector, W+",
        "arXiv:1912.04958",
        published.PROJECTOR,
        "LPIPS by the features",
        (AT_256, "into W+, which NVIDIA's does not do"),
        uses_noise=True,
    ),
    "pti": Method(
        "PTI",
        "arXiv:2106.05744",
        published.PIVOT + published.TUNING,
        "LPIPS by the features, then MSE and LPIPS (alex) by weights",
        (AT_256, HALVED, f"{_share(published.PIVOT, published.TUNING)} steps are the projector's"),
        uses_noise=True,
        needs_float32=True,
    ),
    "dhr-like": Method(
        "DHR-like",
        "arXiv:2301.12141",
        published.COARSE + published.FEATURES,
        "MSE and LPIPS (alex) by weights and features",
        (
            AT_256,
            HALVED,
            "starts from our network, if there is one, not from theirs",
            "in its domain is what a code in W draws well within the ellipse of a head, not by a face parser",
            f"{_share(published.COARSE, published.FEATURES)} steps are those in W",
        ),
        uses_noise=True,
        needs_float32=True,
    ),
}
"""All methods by name, ours first."""


@dataclass(frozen=True)
class ChosenMethod:
    """A method of `METHODS` with its number of steps."""

    key: str
    steps: int

    @property
    def method(self) -> Method:
        """Entry of the method in `METHODS`."""
        return METHODS[self.key]

    @property
    def name(self) -> str:
        """Name of its folder and in results.csv, such as "hybrid-50"."""
        return f"{self.key}-{self.steps}" if self.steps else self.key

    @property
    def title(self) -> str:
        """Name in tables, such as "Ours, hybrid, 50 steps"."""
        return f"{self.method.title}, {self.steps:,} steps" if self.steps else self.method.title

    def note(self, features: str) -> str:
        """Describe source, loss, and differences from the publication, for the line below a table.

        Args:
            features: Classifier whose features earlier methods compare.
        """
        method = self.method
        parts = [method.source, f"minimizes {method.minimizes}", *method.changes]
        if not method.ours and self.steps != method.steps:
            parts.append(f"published with {method.steps:,} steps, here {self.steps:,}")
        if not method.ours and features == "alexnet":
            parts.append("AlexNet's features instead of VGG16's")
        return "; ".join(parts)


def choose_methods(texts: Sequence[str], *, steps: int | None = None) -> tuple[ChosenMethod, ...]:
    """Parse methods as users write them, such as "projector" and "hybrid:100".

    Args:
        texts: Names of `METHODS`, each optionally with its number of steps.
        steps: Number of steps of earlier methods that are named without; None for the published number.

    Raises:
        ValueError: A method is unknown, takes no steps, or is named twice, or none is named.
    """
    chosen = tuple(_choose(text, steps) for text in texts)
    if not chosen:
        raise ValueError("name at least one method")
    names = [one.name for one in chosen]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{twice} is named twice")
    return chosen


def _choose(text: str, others: int | None) -> ChosenMethod:
    key, colon, given = text.partition(":")
    if key not in METHODS:
        close = difflib.get_close_matches(key, METHODS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise ValueError(f"unknown method {text!r}; {hint}choose from {', '.join(METHODS)}")
    method = METHODS[key]
    if colon and not (method.steps or method.steps_on_request):
        raise ValueError(f"{text}: {key} takes no steps")
    if colon and not (given.isdecimal() and int(given) > 0):
        raise ValueError(f"{text}: steps must be 1 or more, as in {key}:100")
    if colon:
        return ChosenMethod(key, int(given))
    return ChosenMethod(key, others if others and not method.ours else method.steps)

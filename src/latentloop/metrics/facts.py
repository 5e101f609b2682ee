"""Facts about each metric: range, best value, which way is better, and how tables show its values.

Reports and tables read this module alone, and it imports no PyTorch.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class MetricFacts:
    """Facts about a metric of images in [-1, 1], one value per image."""

    label: str
    """Heading in tables and plots."""
    higher_is_better: bool | None
    """Whether a larger value means a better image; None where neither is better."""
    lowest: float
    """Least value of the range."""
    highest: float
    """Largest value of the range."""
    perfect: float | None
    """Value of an image that equals its target; None for a metric that takes no target."""
    digits: int = 3
    """Decimals in tables."""
    unit: str = ""
    """Unit of the values."""

    @property
    def heading(self) -> str:
        """Label with the unit, such as "PSNR, dB"."""
        return f"{self.label}, {self.unit}" if self.unit else self.label

    @property
    def arrow(self) -> str:
        """Arrow to the better side; nothing where neither side is better."""
        return {True: "↑", False: "↓", None: ""}[self.higher_is_better]


def _distance(label: str, *, highest: float = math.inf, digits: int = 3) -> MetricFacts:
    """Facts about a distance of two images: 0 if they are equal, and otherwise more."""
    return MetricFacts(label, higher_is_better=False, lowest=0, highest=highest, perfect=0, digits=digits)


FACTS: Mapping[str, MetricFacts] = {
    "mse": _distance("MSE", highest=4, digits=4),
    "psnr": MetricFacts(
        "PSNR", higher_is_better=True, lowest=0, highest=math.inf, perfect=math.inf, digits=2, unit="dB"
    ),
    "ssim": MetricFacts("SSIM", higher_is_better=True, lowest=-1, highest=1, perfect=1),
    # Negative contrasts count as 0, so unlike SSIM it is never below.
    "ms_ssim": MetricFacts("MS-SSIM", higher_is_better=True, lowest=0, highest=1, perfect=1),
    "lpips_alex": _distance("LPIPS (alex)"),
    "lpips_squeeze": _distance("LPIPS (squeeze)"),
    "lpips_vgg": _distance("LPIPS (vgg)"),
    "id": MetricFacts("ID", higher_is_better=True, lowest=-1, highest=1, perfect=1),
    "lpips_full": _distance("LPIPS (full size)"),
    "pattern": MetricFacts(
        "pattern", higher_is_better=False, lowest=-math.inf, highest=math.inf, perfect=None, digits=2
    ),
    # A fact about the photo, to compare with.
    "pattern_photo": MetricFacts(
        "photo's pattern", higher_is_better=None, lowest=-math.inf, highest=math.inf, perfect=None, digits=2
    ),
}
"""Facts of each metric, by the name that results have."""

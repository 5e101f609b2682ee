"""What a benchmark shows: methods, their results on images, and their means beside those of other image sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from latentloop.benchmark.summary import Spread, summarize

LABELS = {
    "mse": "MSE",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "ms_ssim": "MS-SSIM",
    "lpips_alex": "LPIPS (alex)",
    "lpips_squeeze": "LPIPS (squeeze)",
    "lpips_vgg": "LPIPS (vgg)",
    "id": "ID",
}
DIGITS = {"mse": 4, "psnr": 2}


@dataclass(frozen=True)
class Result:
    """A method on an image, as a row of results.csv."""

    method: str
    image: str
    figures: Mapping[str, float]
    seconds: float
    memory: int | None
    calls: int
    batch: int


@dataclass(frozen=True)
class MethodLine:
    """A method in the tables."""

    name: str
    title: str
    note: str
    """Its source, and what differs from it."""
    ours: bool
    results: Sequence[Result]

    @property
    def seconds(self) -> float:
        """Median of an image."""
        return median(result.seconds for result in self.results)

    def spread(self, figure: str) -> Spread:
        """Of the images."""
        return summarize([result.figures[figure] for result in self.results])

    def means(self, figures: Sequence[str]) -> dict[str, float]:
        """Of the images."""
        return {figure: fmean(result.figures[figure] for result in self.results) for figure in figures}


@dataclass(frozen=True)
class MethodMeans:
    """A method's means over a set of images."""

    title: str
    means: Mapping[str, float]


@dataclass(frozen=True)
class SetMeans:
    """What a run leaves for the tables of others."""

    name: str
    """The set's."""
    images: int
    conditions: Mapping[str, str]
    """What runs must share for their figures to compare: protocol, generator ..."""
    methods: Mapping[str, MethodMeans]
    """By name."""


@dataclass(frozen=True)
class Comparison:
    """All that is shown."""

    name: str
    """The image set's."""
    facts: Mapping[str, str]
    """How it was measured: data, protocol, generator, device ..."""
    conditions: Mapping[str, str]
    """As in `SetMeans`."""
    columns: Sequence[str]
    lines: Sequence[MethodLine]
    """The methods that have results, all on the same images."""
    left_out: Sequence[str] = ()
    """What was wrong with images and methods, a line each."""
    beside: Sequence[SetMeans] = ()
    """Runs on other sets."""

    @property
    def title(self) -> str:
        """Of the report."""
        return f"StyleGAN inversion: {self.name}"

    @property
    def means(self) -> SetMeans:
        """Of this run."""
        images = {result.image for line in self.lines for result in line.results}
        methods = {line.name: MethodMeans(line.title, line.means(self.columns)) for line in self.lines}
        return SetMeans(self.name, len(images), self.conditions, methods)


def on_the_same_images(results: Sequence[Result]) -> list[Result]:
    """Those of the images that every method has, or all if there is no such image: means must be of the same ones."""
    images: dict[str, set[str]] = {}
    for result in results:
        images.setdefault(result.method, set()).add(result.image)
    common = set.intersection(*images.values()) if images else set()
    return [result for result in results if result.image in common] or list(results)

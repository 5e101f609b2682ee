"""Results of a benchmark: methods, their metrics on each image, and means beside those of other image sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from latentloop.benchmark.summary import Spread, summarize
from latentloop.errors import UserError
from latentloop.metrics.facts import FACTS

LABELS: Mapping[str, str] = {name: facts.label for name, facts in FACTS.items()} | {
    "lec": "LEC",
    "cycle_lpips": "cycle LPIPS",
    "id_edited": "ID, edited",
    "strength": "strength of edits",
}
"""Headings of metrics in tables and plots."""
DIGITS = {name: facts.digits for name, facts in FACTS.items()}
"""Decimals of metrics in tables; 3 for all others."""

TITLE = "StyleGAN inversion"
"""First words of a report's title, by which its files are recognized."""


@dataclass(frozen=True)
class Result:
    """Quality and cost of one method on one image; a row of results.csv."""

    method: str
    """Name of the method, such as "hybrid-50"."""
    image: str
    """Name of the image, without its suffix."""
    figures: Mapping[str, float]
    """Values of the metrics by name; full-size metrics are absent if the photo has too few pixels."""
    seconds: float
    """Seconds to find the code and draw its image at full size."""
    memory: int | None
    """Peak memory in bytes; None if unknown."""
    calls: int
    """Number of images that the generator synthesized."""
    batch: int
    """Number of images inverted together; seconds and calls are per image."""


@dataclass(frozen=True)
class Skipped:
    """An image that cannot be used, or a method that failed on it."""

    error: UserError

    @property
    def reason(self) -> str:
        """Error message that begins with the image's path."""
        return str(self.error)


Outcome = Result | Skipped


@dataclass(frozen=True)
class MethodLine:
    """A method with its results; a row of the tables."""

    name: str
    title: str
    note: str
    """Source, loss, and differences from the publication."""
    ours: bool
    results: Sequence[Result]

    @property
    def seconds(self) -> float:
        """Median seconds per image."""
        return median(result.seconds for result in self.results)

    def spread(self, figure: str) -> Spread | None:
        """Compute mean and spread of a metric over the images that have it; None if none has."""
        values = self._values(figure)
        return summarize(values) if values else None

    def means(self, figures: Sequence[str]) -> dict[str, float]:
        """Average metrics over the images that have them; metrics without values are left out."""
        return {figure: fmean(values) for figure in figures if (values := self._values(figure))}

    def _values(self, figure: str) -> list[float]:
        return [result.figures[figure] for result in self.results if figure in result.figures]


@dataclass(frozen=True)
class MethodMeans:
    """Mean metrics of a method over a set of images."""

    title: str
    means: Mapping[str, float]


@dataclass(frozen=True)
class SetMeans:
    """Mean metrics of a run on its image set, as stored in summary.json for the tables of other runs."""

    name: str
    """Name of the image set."""
    images: int
    conditions: Mapping[str, str]
    """Settings that runs must share to be comparable: protocol, generator ..."""
    methods: Mapping[str, MethodMeans]
    """Mean metrics of each method, by its name."""


@dataclass(frozen=True)
class Comparison:
    """Contents of a benchmark's tables, plots and pages."""

    name: str
    """Name of the image set."""
    facts: Mapping[str, str]
    """Details of the measurement: data, protocol, generator, device ..."""
    conditions: Mapping[str, str]
    """Settings that other runs must share to be shown beside this one."""
    columns: Sequence[str]
    """Names of the metrics, in the order of the table."""
    lines: Sequence[MethodLine]
    """Methods that have results, all on the same images."""
    left_out: Sequence[str] = ()
    """Error message of each image or method that was left out."""
    beside: Sequence[SetMeans] = ()
    """Mean metrics of runs on other image sets."""

    @property
    def title(self) -> str:
        """Heading of the report."""
        return f"{TITLE}: {self.name}"

    @property
    def means(self) -> SetMeans:
        """Mean metrics of each method in this run."""
        images = {result.image for line in self.lines for result in line.results}
        methods = {line.name: MethodMeans(line.title, line.means(self.columns)) for line in self.lines}
        return SetMeans(self.name, len(images), self.conditions, methods)


def common_images(results: Sequence[Result]) -> set[str]:
    """Find the names of the images that every method has."""
    images: dict[str, set[str]] = {}
    for result in results:
        images.setdefault(result.method, set()).add(result.image)
    return set.intersection(*images.values()) if images else set()


def on_the_same_images(results: Sequence[Result]) -> list[Result]:
    """Keep the results on images that every method has, so that means are comparable; all if there is no such image."""
    common = common_images(results)
    return [result for result in results if result.image in common] or list(results)

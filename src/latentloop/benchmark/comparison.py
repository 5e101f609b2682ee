"""A benchmark's results: methods, their metrics on each image, and means beside those of other image sets."""

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
"""Beginning of a report's title, by which its files are known."""


@dataclass(frozen=True)
class Result:
    """Quality and cost of one method on one image; a row of results.csv."""

    method: str
    """Name of the method, such as "hybrid-50"."""
    image: str
    """Name of the image, without its ending."""
    figures: Mapping[str, float]
    """Values of the metrics, by metric; those at full size are missing where the photo lacks the pixels."""
    seconds: float
    """Seconds for the code and for its image at full size."""
    memory: int | None
    """Peak memory in bytes; None where it is not known."""
    calls: int
    """Images that the generator synthesized."""
    batch: int
    """Images that were inverted together; seconds and calls are those of one."""


@dataclass(frozen=True)
class Skipped:
    """An image that cannot be used, or a method that fails on it."""

    error: UserError

    @property
    def reason(self) -> str:
        """Message that says what is wrong, beginning with the image's path."""
        return str(self.error)


Outcome = Result | Skipped


@dataclass(frozen=True)
class MethodLine:
    """A method with its results, as a line of the tables."""

    name: str
    title: str
    note: str
    """Source, loss, and differences from what was published."""
    ours: bool
    results: Sequence[Result]

    @property
    def seconds(self) -> float:
        """Median seconds of an image."""
        return median(result.seconds for result in self.results)

    def spread(self, figure: str) -> Spread | None:
        """Mean, deviation and confidence interval of a metric over the images that have it; None if none has."""
        values = self._values(figure)
        return summarize(values) if values else None

    def means(self, figures: Sequence[str]) -> dict[str, float]:
        """Mean of each of these metrics over the images that have it; metrics that none has are missing."""
        return {figure: fmean(values) for figure in figures if (values := self._values(figure))}

    def _values(self, figure: str) -> list[float]:
        return [result.figures[figure] for result in self.results if figure in result.figures]


@dataclass(frozen=True)
class MethodMeans:
    """A method's mean metrics over a set of images."""

    title: str
    means: Mapping[str, float]


@dataclass(frozen=True)
class SetMeans:
    """A run's mean metrics on its image set, as summary.json holds them for the tables of other runs."""

    name: str
    """Name of the image set."""
    images: int
    conditions: Mapping[str, str]
    """Settings that runs must share to be compared: protocol, generator ..."""
    methods: Mapping[str, MethodMeans]
    """Mean metrics of each method."""


@dataclass(frozen=True)
class Comparison:
    """Everything that the tables, plots and pages of a benchmark show."""

    name: str
    """Name of the image set."""
    facts: Mapping[str, str]
    """Details of the measurement: data, protocol, generator, device ..."""
    conditions: Mapping[str, str]
    """Settings that other runs must share to be shown beside this one."""
    columns: Sequence[str]
    """Names of the metrics, in the order of the table."""
    lines: Sequence[MethodLine]
    """The methods that have results, all on the same images."""
    left_out: Sequence[str] = ()
    """Images and methods that were left out, with the reason, a line each."""
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


def on_the_same_images(results: Sequence[Result]) -> list[Result]:
    """Keep the results on images that every method has, so that means compare; all if there is no such image."""
    images: dict[str, set[str]] = {}
    for result in results:
        images.setdefault(result.method, set()).add(result.image)
    common = set.intersection(*images.values()) if images else set()
    return [result for result in results if result.image in common] or list(results)

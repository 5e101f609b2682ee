"""Calculate what codes of very many photos cost, from what was measured on one machine.

    python scripts/plan_scale.py
    python scripts/plan_scale.py --finding 0.57 --cores 64 --gpus 4

A job has four stages: photos are read, faces found, codes found (with or without figures), records written. Each stage
has a rate for each core or GPU; the slowest stage that the machine has sets the pace. The result is a table in Markdown
for each of some numbers of photos, and the stage that holds the job up. The defaults are the figures of docs/scale.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import tyro

HOUR = 3600.0


@dataclass(frozen=True)
class Costs:
    """What a photo with one face costs."""

    finding: float = 0.235
    """Seconds of a core to read a photo of 256 pixels, and to find and align its face; .57 at 1024 pixels."""
    coding: float = 0.114
    """Seconds of a core for one pass of the network and the identity embedding."""
    figures: float = 0.446
    """Seconds of a core to draw the code at 256 pixels and to measure it."""
    on_gpu: float = 1 / 493
    """Seconds of a GPU for all but the finding: at most, since training on an H200, which draws, measures and computes
    gradients, does 493 photos a second."""
    photo_bytes: float = 1.15e4
    """Bytes of a photo of 256 pixels that are read."""
    record_bytes: float = 1.68e4
    """Bytes of its record."""
    picture_bytes: float = 3.0e4
    """Bytes of the two pictures of --pictures."""
    disk: float = 2e8
    """Bytes a second that the photos are read at, of all machines together."""


@dataclass(frozen=True)
class Plan:
    """A way to embed photos: cores and GPUs, and what is asked for."""

    name: str
    cores: int
    gpus: int = 0
    figures: bool = True
    efficiency: float = 0.9
    """Share of the cores' time that goes into photos: the rest is the engine's, and the last workers' waiting."""

    def stages(self, costs: Costs) -> dict[str, float]:
        """Photos a second that each stage could do by itself; cores without a GPU share the finding and the coding."""
        cores = self.cores * self.efficiency
        reading = costs.disk / costs.photo_bytes
        if self.gpus:
            finding, coding = cores / costs.finding, self.gpus / costs.on_gpu
            return {"reading": reading, "finding faces": finding, "the GPUs": coding}
        work = costs.finding + costs.coding + (costs.figures if self.figures else 0)
        return {"reading": reading, "the cores": cores / work}


def table(plans: Sequence[Plan], photos: int, costs: Costs) -> str:
    """Write a table of what some plans cost for a number of photos."""
    lines = [
        f"**{photos:,} photos**, records of {photos * costs.record_bytes / 1e9:,.0f} GB"
        f" (with pictures {photos * (costs.record_bytes + costs.picture_bytes) / 1e9:,.0f} GB),"
        f" photos of {photos * costs.photo_bytes / 1e9:,.0f} GB:",
        "",
        "| machine | photos a second | hours | core hours | GPU hours | bottleneck |",
        "|---|---|---|---|---|---|",
    ]
    for plan in plans:
        stages = plan.stages(costs)
        slowest = min(stages, key=lambda stage: stages[stage])
        hours = photos / stages[slowest] / HOUR
        spent = (
            f"{hours * plan.cores:,.0f} | {hours * plan.gpus:,.1f}" if plan.gpus else f"{hours * plan.cores:,.0f} | -"
        )
        lines.append(f"| {plan.name} | {stages[slowest]:,.1f} | {hours:,.1f} | {spent} | {slowest} |")
    return "\n".join(lines)


def feeding(costs: Costs, efficiency: float = 0.9) -> int:
    """Count the cores that find faces as fast as one GPU finds codes."""
    return math.ceil(costs.finding / costs.on_gpu / efficiency)


def main(costs: Costs = Costs(), *, cores: int = 16, gpus: int = 1, photos: tuple[int, ...] = (10**6, 10**8)) -> None:
    """Print the tables.

    Args:
        costs: What a photo costs.
        cores: Cores of a machine with GPUs.
        gpus: Its GPUs.
        photos: Numbers of photos.
    """
    plans = [
        Plan("2 cores", 2),
        Plan("2 cores, without figures", 2, figures=False),
        Plan("64 cores", 64),
        Plan("64 cores, without figures", 64, figures=False),
        Plan(f"{gpus} GPU(s), {cores} cores", cores, gpus),
        Plan(f"{gpus} GPU(s), {gpus * feeding(costs)} cores", gpus * feeding(costs), gpus),
        Plan("32 machines of 64 cores", 32 * 64),
    ]
    for number in photos:
        print(table(plans, number, costs), end="\n\n")


if __name__ == "__main__":
    tyro.cli(main, config=(tyro.conf.OmitArgPrefixes,))

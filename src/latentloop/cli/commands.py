"""Table of the commands, and the screen that lists them. A command is imported only on demand."""

import importlib
from dataclasses import dataclass
from typing import Protocol, cast


class Command(Protocol):
    """A command with its options, as `latentloop COMMAND` runs it."""

    def run(self) -> int:
        """Do the work; returns the exit code."""
        ...


@dataclass(frozen=True)
class Entry:
    """A line of the list of commands."""

    place: str
    """Module of this package, and class: "embed:Embed"."""
    line: str
    """Summary of the command, with which the docstring of its class begins."""


GROUPS = {
    "Photos": {
        "embed": Entry("embed:Embed", "Find the code of each photo, and save it with the image it draws"),
        "edit": Entry("edit:Edit", "Change attributes of a face, and paste it back into its photo"),
        "bulk": Entry("bulk:Bulk", "Find the codes of very many photos, as records in Parquet files"),
        "studio": Entry("studio:Studio", "Open a page in the browser on which photos are edited with sliders"),
        "morph": Entry("morph:Morph", "Turn one face into the next: a GIF, an MP4 or a folder of frames"),
        "mix": Entry("mix:Mix", "Draw faces with some styles of other faces: style mixing"),
        "transfer": Entry("transfer:Transfer", "Give a face the expression of another person"),
        "generate": Entry("generate:Generate", "Draw random images: the simplest check that a generator works"),
    },
    "Generators": {
        "directions": Entry("directions:Directions", "List the directions that photos can be edited in, or find more"),
        "inspect": Entry("convert:Inspect", "Show which generator a file holds"),
        "metric": Entry("metric:Metric", "Measure a generator once, so that its codes take half the steps"),
        "export": Entry("export:Export", "Write networks as ONNX files, which run without PyTorch"),
        "convert": Entry("convert:Convert", "Convert a StyleGAN checkpoint to safetensors"),
    },
    "Networks": {
        "train": Entry("train:Train", "Train an embedding network, which finds a photo's code in one pass"),
        "distill": Entry("distill:Distill", "Train a smaller, faster generator to draw what --generator draws"),
        "cache": Entry("cache:Cache", "Inspect a code cache written by latentloop train"),
        "bench": Entry("bench:Bench", "Compare methods of inversion, or measure the speed of this machine"),
        "fetch": Entry("fetch:Fetch", "Download weights that are too large to ship"),
    },
}
COMMANDS = {name: entry for group in GROUPS.values() for name, entry in group.items()}
PARTS = {
    "bench editability": Entry("editability:Editability", "Measure how well the codes of photos edit"),
}
"""Commands of two words, each described by the command of the first word, which has other options."""


def load_command(name: str) -> type[Command]:
    """Import the class of a command of `COMMANDS` or `PARTS`."""
    module, _, place = (COMMANDS | PARTS)[name].place.partition(":")
    return cast("type[Command]", getattr(importlib.import_module(f"{__package__}.{module}"), place))


def overview() -> str:
    """The screen of `latentloop --help`: first steps, and a line for each command."""
    groups = [
        "\n".join([heading, *(f"  {name:<12}{entry.line}" for name, entry in group.items())])
        for heading, group in GROUPS.items()
    ]
    return "\n".join(
        [
            "latentloop finds the StyleGAN code of a photo, and edits the photo through it.",
            "First steps: latentloop embed photo.jpg; latentloop edit photo.jpg --set smile=1",
            *groups,
            "Options and examples: latentloop COMMAND --help. Version: latentloop --version",
        ]
    )

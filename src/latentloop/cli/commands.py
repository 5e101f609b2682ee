"""Table of the commands and the screen that lists them; a command's module is imported on demand."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast


class Command(Protocol):
    """Interface of a command: a dataclass of options with `run`."""

    def run(self) -> int:
        """Do the work and return the exit code."""
        ...


@dataclass(frozen=True)
class Entry:
    """Table row of one command."""

    place: str
    """Module in this package and class, such as "embed:Embed"."""
    line: str
    """One-line summary; the docstring of the command's class begins with it."""


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
    "Generators and networks": {
        "directions": Entry("directions:Directions", "List the directions that photos can be edited in, or find more"),
        "inspect": Entry("convert:Inspect", "Show which generator a file holds"),
        "metric": Entry("metric:Metric", "Measure a generator once, so that its codes take half the steps"),
        "export": Entry("export:Export", "Write networks as ONNX files, which run without PyTorch"),
        "convert": Entry("convert:Convert", "Convert a StyleGAN checkpoint to safetensors"),
        "push": Entry("push:Push", "Publish weights or directions on the Hugging Face Hub"),
        "train": Entry("train:Train", "Train an embedding network, which finds a photo's code in one pass"),
        "distill": Entry("distill:Distill", "Train a smaller, faster generator to draw what --generator draws"),
        "cache": Entry("cache:Cache", "Inspect a code cache written by latentloop train"),
        "bench": Entry("bench:Bench", "Compare methods of inversion, or measure the speed of this machine"),
        "fetch": Entry("fetch:Fetch", "Download weights that are too large to ship"),
    },
}
PARTS = {
    "bench editability": Entry("editability:Editability", "Measure how well the codes of photos edit"),
}
"""Commands of two words, with options of their own; the help of the first word mentions them."""


@dataclass(frozen=True)
class Program:
    """A program: its name and its commands."""

    name: str
    """Name that users type."""
    about: tuple[str, ...]
    """First lines of the program's `--help`."""
    groups: Mapping[str, Mapping[str, Entry]]
    """Commands by heading, then by name."""
    parts: Mapping[str, Entry] = field(default_factory=dict)
    """Commands of two words, by name."""

    @property
    def commands(self) -> dict[str, Entry]:
        """All commands of one word, by name."""
        return {name: entry for group in self.groups.values() for name, entry in group.items()}

    def load(self, name: str) -> type[Command]:
        """Import the class of a command, of one word or of two."""
        module, _, place = (self.commands | dict(self.parts))[name].place.partition(":")
        return cast("type[Command]", getattr(importlib.import_module(f"{__package__}.{module}"), place))

    def overview(self) -> str:
        """Format the screen of `--help`: first steps, and one line per command."""
        groups = [
            "\n".join([heading, *(f"  {name:<12}{entry.line}" for name, entry in group.items())])
            for heading, group in self.groups.items()
        ]
        last = f"Options and examples: {self.name} COMMAND --help. Version: {self.name} --version"
        return "\n".join([*self.about, *groups, last])


LATENTLOOP = Program(
    "latentloop",
    (
        "latentloop finds the StyleGAN code of a photo, and edits the photo through it.",
        "First steps: latentloop embed photo.jpg; latentloop edit photo.jpg --set smile=1",
    ),
    GROUPS,
    PARTS,
)
"""The main program, with all commands."""
LITE = Program(
    "latentloop-lite",
    (
        "latentloop-lite edits faces in photos through their StyleGAN codes, without PyTorch.",
        "First steps: latentloop-lite edit photo.jpg --set smile=1; latentloop-lite directions",
    ),
    {
        "Photos": {
            "edit": Entry("lite.edit:Edit", "Change attributes of a face, and paste it back into its photo"),
            "embed": Entry("lite.embed:Embed", "Find the code of each photo in one pass, and save it with its image"),
            "directions": Entry("lite.directions:Directions", "List the directions that photos can be edited in"),
        }
    },
)
"""The program that runs without PyTorch: ONNX files, and codes from one pass of the network."""
COMMANDS = LATENTLOOP.commands


def load_command(name: str) -> type[Command]:
    """Import the class of a command in `COMMANDS` or `PARTS`."""
    return LATENTLOOP.load(name)

"""Kill commands at random moments, and look at what is left.

    python scripts/kill_trials.py --kills 40

Each command runs with a tiny generator in a folder that has finished results already, is killed (SIGKILL) after a
random part of the time that it takes, and is run again to its end. After the kill, every file under a final name must
be whole and every finished one still there; after the second run, nothing temporary may be left, and the files must be
those of a run that was not killed. A line for each command tells how often that was so.
"""

import json
import multiprocessing
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import tyro
from safetensors.torch import load_file

from latentloop.cli import main as latentloop
from latentloop.files import PART
from latentloop.folder_lock import LOCK
from latentloop.images import read_image, resize, write_png
from latentloop.video import read_video, write_video
from tiny_networks import write_tiny_networks

PORTRAIT = Path(__file__).parents[1] / "examples" / "photos" / "female-1.jpg"
LOADED = ["torch", "av", "latentloop.cli", "latentloop.embedding", "latentloop.embedding.results"]
LOADED += ["latentloop.photo_editing", "latentloop.benchmark", "latentloop.training"]
NETS = ["--generator", "tiny.safetensors", "--embedder", "network.safetensors", "--device", "cpu"]
EMBED = ["embed", "photos", "--aligned", "--out", "out", *NETS, "--steps"]
EDIT = ["--out", "out", *NETS, "--set"]
BENCH = ["bench", "--root", "photos", "--aligned", "--out", "out", *NETS, "--steps", "2", "--methods", "one-pass"]
MAKE = ["--generator", "tiny.safetensors", "--device", "cpu", "--out"]
FIND = ["directions", "find", "--method", "ganspace", "--count", "3", "--samples", "200", *MAKE]
TRAIN = ["train", "--data", "photos", *MAKE, "run", "--identity", "none", "--batch", "2", "--teacher-steps", "2"]
TRAIN += ["--validation-images", "2", "--save-every", "2", "--keep", "1", "--steps"]


@dataclass(frozen=True)
class Trial:
    """A command that is killed, and one that was finished before in the same folder."""

    name: str
    command: Sequence[str]
    before: Sequence[str] = ()
    once: bool = False
    """Whether it refuses to run where it is finished."""


TRIALS = (
    Trial("embed", [*EMBED, "9"], [*EMBED, "3"]),
    Trial(
        "edit, photo",
        ["edit", "face.png", *EDIT, "found.safetensors:pc0=1"],
        ["edit", "face.png", *EDIT, "found.safetensors:pc0=2"],
    ),
    Trial(
        "edit, video",
        ["edit", "clip.mp4", *EDIT, "found.safetensors:pc0=1"],
        ["edit", "clip.mp4", *EDIT, "found.safetensors:pc0=2"],
    ),
    Trial("train", [*TRAIN, "4"]),
    Trial("bench", [*BENCH, "optimize:3", "projector-w+"], BENCH),
    Trial(
        "cache export",
        ["cache", "export", "trained/codes.cache", "photos", "--generator", "tiny.safetensors", "--out", "codes"],
    ),
    Trial("cache import", ["cache", "import", "emptied.cache", "exported"]),
    Trial(
        "directions find", [*FIND, "mine.safetensors", "--sheet"], [*FIND, "mine.safetensors", "--sheet", "--seed", "5"]
    ),
    Trial("directions samples", ["directions", "samples", "--count", "20", *MAKE, "samples"], once=True),
    Trial(
        "generate",
        ["generate", "--count", "20", *MAKE, "images"],
        ["generate", "--seed", "5", "--count", "20", *MAKE, "images"],
    ),
)


@dataclass
class Tally:
    """What was seen of a command's kills."""

    kills: int = 0
    amid: int = 0
    """Kills that came before the command was over."""
    temporary: int = 0
    """Kills that left temporary files."""
    halves: list[str] = field(default_factory=list)
    """Files under a final name that are not whole."""
    lost: list[str] = field(default_factory=list)
    """Finished files that are gone."""
    unlike: list[str] = field(default_factory=list)
    """What the second run left otherwise than a run that was not killed."""


def work(folder: Path, command: Sequence[str]) -> None:
    """Run a command in a folder, silently, and end the process."""
    os.chdir(folder)
    with Path(os.devnull).open("w") as sys.stdout, folder.with_suffix(".errors").open("w") as sys.stderr:
        sys.exit(latentloop([*command]))


def start(folder: Path, command: Sequence[str]) -> multiprocessing.process.BaseProcess:
    """Start a command in a process of its own, forked from one that has imported everything."""
    process = multiprocessing.get_context("forkserver").Process(target=work, args=(folder, command))
    process.start()
    return process


def finish(folder: Path, command: Sequence[str]) -> float:
    """Run a command to its end; returns the seconds it took."""
    begun, process = time.perf_counter(), start(folder, command)
    process.join()
    if process.exitcode:
        raise SystemExit(f"{' '.join(command)}: {folder.with_suffix('.errors').read_text()}")
    return time.perf_counter() - begun


def prepare(folder: Path) -> None:
    """Make the generator, network, photos, video, directions, caches and codes that the commands take."""
    write_tiny_networks(folder, photos=4)
    face = resize(read_image(PORTRAIT), 256, 256)
    write_png(folder / "face.png", face)
    write_video(folder / "clip.mp4", [face.roll(i, dims=-1) for i in range(4)], Fraction(10))
    for command in ([*FIND, "found.safetensors"], [*TRAIN, "2"]):
        finish(folder, command)
    (folder / "run").rename(folder / "trained")
    finish(folder, [*TRIALS[5].command[:-1], "exported"])
    with (
        closing(sqlite3.connect(folder / "trained" / "codes.cache")) as whole,
        closing(sqlite3.connect(folder / "emptied.cache")) as emptied,
    ):
        whole.backup(emptied)
        emptied.execute("DELETE FROM best")
        emptied.commit()


def files_in(folder: Path) -> dict[str, Path]:
    """Files under final names, by their path within a folder, without TensorBoard's and SQLite's own."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    passing = ("tensorboard", "faces-", "-wal", "-shm", LOCK)
    return {n: p for n, p in found.items() if not PART.fullmatch(p.name) and not any(part in n for part in passing)}


def is_whole(path: Path) -> bool:
    """Read a file to its end."""
    try:
        match path.suffix:
            case ".png":
                read_image(path)
            case ".npz":
                arrays_of(path)
            case ".safetensors":
                load_file(path)
            case ".json":
                json.loads(path.read_text())
            case ".jsonl":
                [json.loads(line) for line in path.read_text().splitlines()]
            case ".mp4":
                return len([*read_video(path).frames()]) == 4
            case ".html":
                return path.read_text().rstrip().endswith("</html>")
            case ".cache":
                with closing(sqlite3.connect(path)) as connection:
                    return bool(connection.execute("PRAGMA integrity_check").fetchone() == ("ok",))
            case _:
                return path.read_text().endswith("\n")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is no whole file
        print(f"{path}: {error}")
        return False
    return True


def arrays_of(path: Path) -> dict[str, bytes]:
    """Arrays of a code file or of work on a video, but for those that have the seconds."""
    with np.load(path) as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files if name != "details"}


def is_like(path: Path, other: Path) -> bool:
    """Compare results that do not depend on how long a run took."""
    if path.suffix in (".png", ".csv") and path.name not in ("pareto.png", "results.csv", "summary.csv"):
        return path.read_bytes() == other.read_bytes()
    if path.suffix == ".npz":
        return arrays_of(path) == arrays_of(other)
    if path.suffix == ".safetensors" and path.parent.name != "checkpoints":
        one, two = load_file(path), load_file(other)
        return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    return True


def killed_once(trial: Trial, base: Path, wanted: Path, seconds: float, tally: Tally) -> None:
    """Kill a command after some seconds, look, run it again, and look again."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "here"
        shutil.copytree(base, folder)
        before, process = files_in(folder), start(folder, trial.command)
        time.sleep(seconds)
        tally.kills, tally.amid = tally.kills + 1, tally.amid + process.is_alive()
        process.kill()
        process.join()
        after = files_in(folder)
        tally.temporary += any(PART.fullmatch(path.name) for path in folder.rglob("*"))
        tally.halves += [path for path, file in after.items() if not is_whole(file)]
        tally.lost += before.keys() - after.keys()
        right = files_in(wanted)
        if not (trial.once and after.keys() == right.keys()):
            finish(folder, trial.command)
        ended = files_in(folder)
        tally.unlike += list(ended.keys() ^ right.keys())
        tally.unlike += [path for path in ended.keys() & right.keys() if not is_like(ended[path], right[path])]
        tally.unlike += [str(path) for path in folder.rglob("*") if PART.fullmatch(path.name) or path.name == LOCK]
        tally.unlike += [str(path) for path in folder.rglob("faces-*")]


def main(kills: int = 40, seed: int = 0, only: str = "") -> None:
    """Kill each command some times.

    Args:
        kills: Kills of each command.
        seed: Seed of the moments.
        only: Name of the one command to kill; all without.
    """
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    multiprocessing.get_context("forkserver").set_forkserver_preload(LOADED)
    moments = random.Random(seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        base = Path(name) / "base"
        base.mkdir()
        prepare(base)
        for trial in [trial for trial in TRIALS if only in ("", trial.name)]:
            begun, wanted = Path(name) / "begun", Path(name) / "wanted"
            shutil.copytree(base, begun)
            if trial.before:
                finish(begun, trial.before)
            shutil.copytree(begun, wanted)
            seconds, tally = finish(wanted, trial.command), Tally()
            for _ in range(kills):
                killed_once(trial, begun, wanted, moments.uniform(0, seconds), tally)
            print(f"{trial.name} ({seconds:.1f} s):", *(f"{f.name} {getattr(tally, f.name)}" for f in fields(tally)))
            shutil.rmtree(begun)
            shutil.rmtree(wanted)


if __name__ == "__main__":
    tyro.cli(main)

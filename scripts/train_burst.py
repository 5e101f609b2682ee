"""Train for some minutes on a machine that is lent for no longer, and leave a network whatever happens.

    PYTHONPATH=src python scripts/train_burst.py --photos packed --start last.safetensors --minutes 8 --out "$OUT"

trains on packed/photos-*.tar.gz and measures on packed/held-out-*.tar.gz, both of scripts/pack_photos.py. The folder
--out gets network.safetensors (in pieces of less than 16 MiB, network.safetensors.1 and so on, which `cat` joins),
renewed every minute and a half, log.jsonl, and evaluation.json with the figures of each part of the held-out photos, by
the beginning of their names. --set changes any other option of `latentloop train`: --set lr=1e-3 preset=paper
"""

import argparse  # not tyro, which such machines lack
import gzip
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from latentloop.allocator import keep_freed_memory
from latentloop.devices import repeatable_arithmetic
from latentloop.encoders import Embedder, TwoLooks, load_embedder, save_embedder
from latentloop.errors import UserError
from latentloop.evaluation.measure import load_evaluator
from latentloop.evaluation.one_pass import Encode, measure_by_part
from latentloop.generators import Generator, load_generator
from latentloop.options import with_changes
from latentloop.photos.find import find_training_photos
from latentloop.training import TrainOptions, set_up_training
from latentloop.training.photos import PhotoSet
from latentloop.training.run import TrainJob

RECIPE: Mapping[str, Any] = {
    "image_target": "photo",
    "teacher_steps": 0,
    "cache": False,
    "lambda_w": 0.1,
    "lambda_img": 0.5,
    "lambda_per": 1.0,
    "lambda_id": 0.2,
    "lambda_second_look": 1.0,
    "synthetic": 0.25,
    "repeats": 4,
    "mirror": True,
    "jitter": 0.7,
    "relight": 0.5,
    "spoil_on_device": True,
    "photos_in": "device",
    "warm_up": 100,
    "ramp_down": 0.8,
    "steps": 1_000_000,
    "save_every": 1_000_000,
}
"""Options of the training, as far as --set does not change them; the time ends it."""
SAVE_SECONDS, LOG_SECONDS = 90.0, 10.0
"""Seconds between two files of the network, and between two lines of the log."""
PIECE = 15 << 20
"""Most bytes of a file of the network."""
AT_ONCE = 25
"""Held-out photos that are measured together."""
NETWORK, LOG, EVALUATION = "network.safetensors", "log.jsonl", "evaluation.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, save, measure; returns 1 if the training broke, after what there is has been saved and measured."""
    options = parser().parse_args(arguments)
    if wrong := [one for one in options.set if "=" not in one]:
        parser().error(f"--set takes NAME=VALUE, got {wrong[0]}")
    keep_freed_memory()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        learned, held_out = (unpacked(options.photos, name, Path(folder)) for name in ("photos", "held-out"))
        chosen = train_options(options, learned, held_out, Path(folder) / "run")
        job = set_up_training(chosen)
        say(f"{len(job.trainer.photos or ())} photos, batch {chosen.config.batch}, {chosen.config.minutes} minutes")
        try:
            train(job, options.out)
        except (UserError, RuntimeError, KeyboardInterrupt) as error:
            say(f"stopped at step {job.trainer.step}: {error}")
            return 1
        finally:
            save(options.out, job.trainer.result())
            measure(options, job.trainer.result(), held_out)
    return 0


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=Path, required=True, help="folder with the packed photos")
    parser.add_argument("--start", help="network to begin with; none for a new one")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--generator", default="mobile-ffhq-256")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training; starting and measuring come on top")
    parser.add_argument("--batch", type=int, help="images a step; 64 on CUDA, else 8")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--compile", action="store_true", help="compile first, which takes minutes of the time")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="other options of latentloop train")
    return parser


def train_options(
    given: argparse.Namespace, learned: Sequence[Path], held_out: Sequence[Path], out: Path
) -> TrainOptions:
    """Options of the training: the recipe, what the machine suggests, then what was given."""
    cuda = given.device.startswith("cuda") or (given.device == "auto" and torch.cuda.is_available())
    machine = {"batch": 64, "precision": "bfloat16"} if cuda else {"batch": 8}
    named = {"start": given.start, "batch": given.batch, "minutes": given.minutes, "compile": given.compile}
    files = {"data": tuple(map(str, learned)), "validation": tuple(map(str, held_out)), "out": out}
    others = {name: _value(value) for name, value in (one.split("=", 1) for one in given.set)}
    changes = {**RECIPE, **machine, **{name: value for name, value in named.items() if value is not None}, **files}
    return with_changes(TrainOptions(generator=given.generator, device=given.device), {**changes, **others})


def unpacked(folder: Path, name: str, out: Path) -> list[Path]:
    """Decompress the pieces of a name; returns plain tar files."""
    pieces = []
    for path in sorted(folder.rglob(f"{name}-*.tar.gz")):
        pieces.append(out / path.stem)
        with gzip.open(path) as packed, pieces[-1].open("wb") as file:
            shutil.copyfileobj(packed, file)
    if not pieces:
        raise UserError(f"{folder}: no {name}-*.tar.gz there; scripts/pack_photos.py makes them")
    return pieces


def train(job: TrainJob, out: Path) -> None:
    """Take all steps; the network is saved and a line logged every now and then."""
    begun = logged = saved = time.monotonic()
    recent: list[Mapping[str, float]] = []
    batch = job.trainer.config.batch
    with (out / LOG).open("a", encoding="utf-8") as log:
        for metrics, figures in job.run():
            recent.append(metrics)
            now = time.monotonic()
            if figures or now - logged > LOG_SECONDS:
                means = {name: sum(one[name] for one in recent) / len(recent) for name in metrics if name != "step"}
                speed = batch * len(recent) / (now - logged)
                about = {"step": metrics["step"], "seconds": now - begun, "images_per_second": speed}
                log.write(json.dumps({**means, **(figures or {}), **about, "images": batch * metrics["step"]}) + "\n")
                log.flush()
                logged, recent = now, []
            if now - saved > SAVE_SECONDS and metrics["step"] == job.trainer.step:
                save(out, job.trainer.result())
                saved = now


def save(out: Path, network: Embedder) -> None:
    """Write the network, in pieces where it is large; a piece appears whole."""
    save_embedder(out / NETWORK, network)
    content = (out / NETWORK).read_bytes()
    if len(content) <= PIECE:
        return
    pieces = [content[begin : begin + PIECE] for begin in range(0, len(content), PIECE)]
    parts = [out / f"{NETWORK}.{number}.part" for number in range(1, len(pieces) + 1)]
    for part, piece in zip(parts, pieces, strict=True):
        part.write_bytes(piece)
    for part in parts:  # all at once, or pieces of two networks would stand side by side for long
        part.replace(part.with_suffix(""))
    (out / NETWORK).unlink()


def measure(options: argparse.Namespace, network: Embedder, held_out: Sequence[Path]) -> None:
    """Measure the network, and the one that it began with, on held-out photos, by part."""
    repeatable_arithmetic()
    generator = load_generator(options.generator, device=network.latent_avg.device)
    found = {"after": evaluation(network, network, generator, held_out)}
    if network.second:
        found["after two looks"] = evaluation(network, TwoLooks(network, generator), generator, held_out)
    if options.start:
        begun = load_embedder(options.start, generator)
        found["before"] = evaluation(begun, begun, generator, held_out)
    (options.out / EVALUATION).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for when, parts in found.items():
        for part, figures in parts.items():
            say(f"{when} {part}: " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items()))


def evaluation(
    network: Embedder, encode: Encode, generator: Generator, held_out: Sequence[Path]
) -> dict[str, dict[str, float]]:
    """Figures of the codes of each part of the photos, and their mean; drawn in float32."""
    photos = PhotoSet(find_training_photos(map(str, held_out)), network.resolution, device=generator.device)
    return measure_by_part(encode, generator, photos.batches(AT_ONCE), load_evaluator(device=generator.device))


def _value(text: str) -> Any:  # noqa: ANN401 - of an option's type
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return tuple(value) if isinstance(value, list) else value


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(str(error))

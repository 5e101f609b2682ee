"""Scale published directions of StyleGAN2-FFHQ's W alike for our generators, and measure what each of them changes.

    python scripts/calibrate_directions.py draw --mit mit.npz --noncommercial other.npz --photos DEV --out drawn
    python attribute_scores.py drawn/pictures landmarks.csv        # see there what it wants installed
    node attribute_scores.cjs drawn/pictures faces.csv
    python scripts/calibrate_directions.py fit drawn --scores landmarks.csv faces.csv --out directions-ffhq.safetensors

Strength 1 of every direction costs the same similarity of identity, on average over the photos and over both ways.
draw scales the directions for that and draws each photo's one-pass code at the strengths -2 to 2; fit takes those
that move their score monotonically, and of several for one attribute the one that moves it most for that cost. With
`draw --search` each of them is tried from all its sources on several ranges of layers; without, as ATTRIBUTES says,
which is what came of that. The files of directions: stylegan2_ffhq_directions of omertov/encoder4editing (age, smile,
pose) and those of a312863063/generators-with-stylegan2 (the others), each vector an array of an .npz.
"""

import csv
import math
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from torch import Tensor

from latentloop import keep_freed_memory, load_generator
from latentloop.defaults import GENERATOR, QUICK_GENERATOR
from latentloop.editing import Direction, parse_layers
from latentloop.editing.direction_file import read_directions, save_directions
from latentloop.editing.layers import describe_layers
from latentloop.encoders import load_encoder, predict
from latentloop.features.mobilefacenet import MobileFaceNet, load_mobilefacenet
from latentloop.files import sha256_of
from latentloop.generators import Generator
from latentloop.generators.compiled import compiled
from latentloop.generators.low_precision import low_precision
from latentloop.images import read_image, write_png
from latentloop.metrics import identity_similarity
from latentloop.photos.find import find_photos

STRENGTHS = (-2.0, -1.0, 0.0, 1.0, 2.0)
RANGES = ("all", "0-3", "0-5", "0-7", "2-5", "4-7", "4-11", "8-15")
ROUNDS = (8, 3)
"""Rounds in which a direction is scaled, each with every n-th photo."""
MOST_LOST = 0.25
"""Similarity of identity that strength 1 or -1 may cost on average."""


@dataclass(frozen=True)
class Source:
    """A vector in one of the two files of directions."""

    file: str
    """Name of the file: mit or noncommercial."""
    key: str
    """Name of the vector in it."""
    sign: int = 1
    """-1 where its authors point it the opposite way."""


@dataclass(frozen=True)
class Attribute:
    """An attribute, and where directions for it come from."""

    score: str
    """Column of the scores that a direction for it raises."""
    meaning: str
    """What a positive strength does."""
    layers: str
    """Layers that move the score most for their cost."""
    sources: tuple[Source, ...]
    """Vectors to try, the best first."""


OTHER = "noncommercial"
ATTRIBUTES = {
    "age": Attribute("age", "older", "all", (Source("mit", "age"), Source(OTHER, "age", -1))),
    "smile": Attribute("mouth_corners", "smiles more", "2-5", (Source("mit", "smile"), Source(OTHER, "emotion_happy"))),
    "yaw": Attribute(
        "yaw", "turns to the picture's right", "0-5", (Source("mit", "pose", -1), Source(OTHER, "angle_horizontal"))
    ),
    "pitch": Attribute("pitch", "looks up", "0-5", (Source(OTHER, "angle_pitch"),)),
    "gender": Attribute("male", "more masculine", "0-7", (Source(OTHER, "gender"),)),
    "glasses": Attribute("rim_edges", "glasses", "0-3", (Source(OTHER, "glasses", -1),)),
    "eyes_open": Attribute("eyes_open", "wider open", "4-7", (Source(OTHER, "eyes_open", -1),)),
    "surprise": Attribute("surprised", "surprised", "0-7", (Source(OTHER, "emotion_surprise"),)),
    "anger": Attribute("angry", "angry", "0-7", (Source(OTHER, "emotion_angry"),)),
    "sadness": Attribute("sad", "sad", "0-7", (Source(OTHER, "emotion_sad"),)),
    "face_width": Attribute("face_width", "wider", "0-3", (Source(OTHER, "width", -1),)),
    "face_height": Attribute("face_height", "longer", "0-3", (Source(OTHER, "height", -1),)),
}
"""The layers are those that moved the score most for the cost; but 8 to 15, which change colours, stay out where the
others do about as well. Not with age, of which colours are a part: hair turns grey."""
LICENCES = {"mit": "MIT", "noncommercial": "NVIDIA Source Code License, non-commercial"}
ORIGINS = {"mit": "omertov/encoder4editing", "noncommercial": "a312863063/generators-with-stylegan2"}
LANDMARKS, NETWORKS = "landmarks of MediaPipe's face mesh 0.10.14", "a network of face-api 1.7.15"


@dataclass(frozen=True)
class Draw:
    """Scale the directions, and draw what each of them does."""

    mit: Path
    """Vectors of omertov/encoder4editing as .npz: age, smile and pose."""
    noncommercial: Path
    """Vectors of a312863063/generators-with-stylegan2 as .npz."""
    photos: tuple[str, ...]
    """Aligned photos: files, folders, globs."""
    out: Path = Path("drawn")
    """Folder for the results; the pictures go into pictures/ in it."""
    only: tuple[str, ...] = ()
    """Attributes to draw; all if none is named."""
    search: bool = False
    """Try all sources and ranges of layers, not just those in ATTRIBUTES."""
    cost: float = 0.15
    """Similarity of identity lost at strength 1."""
    quick: bool = False
    """Draw in bfloat16, compiled: four times as fast on our CPUs, and similar to the exact images by more than .999."""

    def run(self) -> None:
        """Write directions.safetensors, costs.csv and the pictures."""
        keep_freed_memory()
        generator = load_generator(QUICK_GENERATOR)
        if self.quick:
            generator = compiled(low_precision(generator, torch.bfloat16), print, always=True)
        (self.out / "pictures").mkdir(parents=True, exist_ok=True)
        subjects = Subjects.of(find_photos(self.photos), generator)
        self._save(subjects, 0.0, subjects.drawn, "unchanged")
        scaled, rows = [], []
        for direction in self._directions(generator):
            scaled.append(subjects.scaled(direction, self.cost))
            rows += [row for strength in STRENGTHS if strength for row in self._drawn(subjects, scaled[-1], strength)]
            print(direction.name, f"length {scaled[-1].change().norm():.2f}", file=sys.stderr, flush=True)
            save_directions(self.out / "directions.safetensors", scaled)
            write_table(self.out / "costs.csv", rows)

    def _directions(self, generator: Generator) -> Iterator[Direction]:
        """Yield the directions to try, each a change of length 1 in each of its layers."""
        files = {"mit": np.load(self.mit), "noncommercial": np.load(self.noncommercial)}
        for name in self.only or ATTRIBUTES:
            attribute = ATTRIBUTES[name]
            for source in attribute.sources if self.search else attribute.sources[:1]:
                vector = torch.from_numpy(files[source.file][source.key].reshape(-1, generator.w_dim)[0]).float()
                for layers in RANGES if self.search else (attribute.layers,):
                    yield Direction(
                        f"{name} {source.file} {layers}",
                        source.sign * vector / vector.norm(),
                        parse_layers(layers, generator.num_ws),
                        generator.num_ws,
                        generator.fingerprint,
                        GENERATOR,
                        LICENCES[source.file],
                        f"{source.key} of {ORIGINS[source.file]}",
                        {"positive": attribute.meaning},
                    )

    def _drawn(self, subjects: "Subjects", direction: Direction, strength: float) -> list[dict[str, object]]:
        """Draw a direction at a strength; returns what it costs each photo."""
        images = subjects.moved(direction, strength)
        self._save(subjects, strength, images, direction.name)
        lost = subjects.lost(images)
        photos = zip(subjects.names, lost, strict=True)
        return [{"direction": direction.name, "strength": strength, "photo": p, "lost": cost} for p, cost in photos]

    def _save(self, subjects: "Subjects", strength: float, images: Sequence[Tensor], name: str) -> None:
        for photo, image in zip(subjects.names, images, strict=True):
            write_png(self.out / "pictures" / picture(name, strength, photo), image)


@dataclass(frozen=True)
class Subjects:
    """Faces that the directions are tried on."""

    names: list[str]
    codes: Tensor
    """Codes of the faces, (N, num_ws, w_dim)."""
    drawn: list[Tensor]
    """Images that the codes draw, each (1, 3, R, R)."""
    generator: Generator
    face_embedder: MobileFaceNet = field(default_factory=load_mobilefacenet)

    @classmethod
    @torch.no_grad()
    def of(cls, photos: Iterable[Path], generator: Generator) -> "Subjects":
        """Take the one-pass codes of photos."""
        encoder = load_encoder("base-ffhq", generator)
        photos = list(photos)
        codes = torch.cat([predict(encoder, read_image(photo)) for photo in photos])
        drawn = [generator.synthesis(code[None]) for code in codes]
        return cls([photo.stem for photo in photos], codes, drawn, generator)

    def every(self, n: int) -> "Subjects":
        """Take every n-th face."""
        return replace(self, names=self.names[::n], codes=self.codes[::n], drawn=self.drawn[::n])

    @torch.no_grad()
    def moved(self, direction: Direction, strength: float) -> list[Tensor]:
        """Draw the faces moved along a direction, each (1, 3, R, R)."""
        return [self.generator.synthesis(code[None] + strength * direction.change()) for code in self.codes]

    @torch.no_grad()
    def lost(self, images: Sequence[Tensor]) -> list[float]:
        """Measure the identity that edited faces lost: 1 minus the similarity to the unchanged ones."""
        pairs = zip(images, self.drawn, strict=True)
        return [1 - identity_similarity(*pair, self.face_embedder).item() for pair in pairs]

    def scaled(self, direction: Direction, cost: float) -> Direction:
        """Scale a direction so that strengths 1 and -1 lose `cost` of the identity; that grows as a square."""
        vector = 2 * direction.vector
        for n in ROUNDS:
            some, now = self.every(n), replace(direction, vector=vector)
            lost = statistics.mean(x for strength in (1, -1) for x in some.lost(some.moved(now, strength)))
            vector = vector * math.sqrt(cost / lost)
        return replace(direction, vector=vector)


@dataclass(frozen=True)
class Fit:
    """Choose the directions that work, and write them with what was measured."""

    drawn: tyro.conf.Positional[Path]
    """Folder that draw wrote."""
    scores: tuple[Path, ...]
    """Tables with the scores of its pictures."""
    out: Path = Path("directions-ffhq.safetensors")
    """File to write."""

    def run(self) -> None:
        """Print a table of all directions, and write the best of each attribute."""
        scores, costs = read_scores(self.scores), read_costs(self.drawn / "costs.csv")
        best: dict[str, Direction] = {}
        print("| direction | score | at -2, -1, 0, 1, 2 | monotone in | lost at -1, 1 |\n|---|---|---|---|---|")
        for name, direction in read_directions(self.drawn / "directions.safetensors").items():
            attribute = name.partition(" ")[0]
            about = {**direction.about, **figures(name, ATTRIBUTES[attribute], scores, costs)}
            found = replace(direction, name=attribute, about=about)
            print(line(name, found))
            if works(found) and (attribute not in best or moved(found) > moved(best[attribute])):
                best[attribute] = found
        save_directions(self.out, [replace(one, vector=one.vector.half()) for one in best.values()])
        for name, one in best.items():
            print(f"{name}: layers {describe_layers(one.layers)}, length {one.change().norm():.2f}; {one.origin}")
        print(f"{self.out}: sha256 {sha256_of(self.out)}")


Scores = Mapping[str, Mapping[str, float]]  # file -> column -> score
Costs = Mapping[tuple[str, float], Mapping[str, float]]  # (direction, strength) -> photo -> lost


def figures(name: str, attribute: Attribute, scores: Scores, costs: Costs) -> dict[str, object]:
    """Sum up what was measured of a direction on the photos that have the score at all strengths."""
    rows = []
    for photo in costs[name, 1.0]:
        files = [picture(name if strength else "unchanged", strength, photo) for strength in STRENGTHS]
        row = [scores[file].get(attribute.score, math.nan) for file in files]
        rows += [] if any(map(math.isnan, row)) else [row]
    if not rows:
        raise SystemExit(f"{name}: no photo has the score {attribute.score} at all strengths; score all pictures first")
    return {
        "score": attribute.score,
        "scored by": NETWORKS if attribute.score in NETWORK_SCORES else LANDMARKS,
        "strengths": list(STRENGTHS),
        "scores": [round(statistics.mean(column), 4) for column in zip(*rows, strict=True)],
        "monotone in": statistics.mean(rises(row) for row in rows),
        "photos": len(rows),
        "identity lost": {f"{way:+d}": round(statistics.mean(costs[name, way].values()), 3) for way in (-1, 1)},
    }


NETWORK_SCORES = ("age", "male", "neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")


def rises(scores: Sequence[float]) -> bool:
    """Whether scores rise from each to the next."""
    return all(low < high for low, high in pairwise(scores))


def moved(direction: Direction) -> float:
    """How far a direction moves its score from strength -1 to 1, on average."""
    scores: list[float] = direction.about["scores"]
    return scores[3] - scores[1]


def works(direction: Direction) -> bool:
    """Whether a direction moves its score monotonically on average, and keeps the identity."""
    return rises(direction.about["scores"]) and max(direction.about["identity lost"].values()) < MOST_LOST


def line(name: str, direction: Direction) -> str:
    """Format a row of the table."""
    about = direction.about
    scores, lost = (" ".join(f"{x:.3g}" for x in of) for of in (about["scores"], about["identity lost"].values()))
    return f"| {name} | {about['score']} | {scores} | {about['monotone in']:.0%} of {about['photos']} | {lost} |"


def picture(name: str, strength: float, photo: str) -> str:
    """Name the file of a picture."""
    return f"{name} {strength:+.0f} {photo}.png"


def read_scores(tables: Iterable[Path]) -> Scores:
    """Read the scores of all tables; empty cells are left out."""
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for table in tables:
        for row in read_table(table):
            scores[row.pop("file")] |= {column: float(score) for column, score in row.items() if score}
    return scores


def read_costs(table: Path) -> Costs:
    """Read the costs that draw measured."""
    costs: dict[tuple[str, float], dict[str, float]] = defaultdict(dict)
    for row in read_table(table):
        costs[row["direction"], float(row["strength"])][row["photo"]] = float(row["lost"])
    return costs


def read_table(path: Path) -> list[dict[str, str]]:
    """Read the rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows of the same columns as CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    Command = Annotated[Draw, tyro.conf.subcommand("draw")] | Annotated[Fit, tyro.conf.subcommand("fit")]
    tyro.cli(Command, description=__doc__).run()

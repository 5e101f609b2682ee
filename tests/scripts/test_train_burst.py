import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from latentloop.encoders import EmbedderConfig, load_embedder, make_embedder, save_embedder
from latentloop.generators import load_generator
from small_generators import SmallGenerator, SmallPhotos

Load = Callable[[str], ModuleType]
SCRIPT = Path(__file__).parents[2] / "scripts" / "train_burst.py"
# Without what a lent machine lacks.
WITHOUT_TYRO = (
    "import runpy, sys; sys.modules['tyro'] = None; sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
)
TINY = ["identity=none", "resolution=32", "lambda_id=0", "validation_images=2", "synthetic=0.5"]


def names(piece: Path) -> list[str]:
    with tarfile.open(piece) as archive:
        return archive.getnames()


@pytest.fixture
def packed(load_script: Load, small_generator: SmallGenerator, small_photos: SmallPhotos, tmp_path: Path) -> Path:
    """A folder of packed photos of 32 pixels, and of held-out ones of two parts."""
    pack, generator, out = load_script("pack_photos").Pack, small_generator(), tmp_path / "packed"
    faces, held_out = small_photos(generator, 6), small_photos(generator, 4, "held-out")
    for i, path in enumerate(sorted(held_out.iterdir())):
        path.rename(held_out / f"{'ab'[i % 2]}-{i}.png")
    pack((str(faces),), out, size=32, format="webp").run()
    pack((str(held_out),), out, "held-out", size=32, format="webp", quality=95).run()
    return out


def test_photos_are_packed_until_they_fit(
    load_script: Load, small_generator: SmallGenerator, small_photos: SmallPhotos, tmp_path: Path
) -> None:
    """Ten photos of 32 pixels into 6 KiB, in pieces of 2 KiB, and half of them where some are left out."""
    pack, faces = load_script("pack_photos").Pack, small_photos(small_generator(), 10)
    kib = 1 / 1024
    pieces = pack((str(faces),), tmp_path / "a", limit=6 * kib, piece=2 * kib, size=32, format="webp").run()
    assert len(pieces) > 1
    assert sum(piece.stat().st_size for piece in pieces) < 6 * 1024
    assert sorted(name for piece in pieces for name in names(piece)) == [f"{i}.webp" for i in range(10)]
    (piece,) = pack((str(faces),), tmp_path / "b", size=32, format="webp", keep=("3.png=0",)).run()
    assert sorted(names(piece)) == [f"{i}.webp" for i in range(10) if i != 3]


def test_a_burst_trains_saves_and_measures_without_the_command_line(packed: Path, tmp_path: Path) -> None:
    generator, out = tmp_path / "small.safetensors", tmp_path / "out"
    command = [sys.executable, "-c", WITHOUT_TYRO, SCRIPT, "--photos", packed, "--generator", generator, "--out", out]
    command += ["--minutes", "1", "--batch", "4", "--device", "cpu", "--set", *TINY, "steps=2"]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("6 photos, batch 4, 1.0 minutes\n")
    (line,) = map(json.loads, (out / "log.jsonl").read_text().splitlines())
    assert (line["step"], line["images"]) == (2, 8)
    assert {"loss", "images_per_second", "val_lpips"} <= line.keys()
    found = json.loads((out / "evaluation.json").read_text())["after"]
    assert found.keys() == {"a", "b", "mean"}
    assert found["mean"]["mse"] == pytest.approx((found["a"]["mse"] + found["b"]["mse"]) / 2)
    assert load_embedder(out / "network.safetensors", load_generator(generator)).num_ws == 6


def test_what_breaks_leaves_the_network_and_its_figures(
    load_script: Load, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, generator, out = load_script("train_burst"), tmp_path / "small.safetensors", tmp_path / "out"

    def broken(*_: object) -> None:
        raise RuntimeError("the machine is gone")

    monkeypatch.setattr(script, "train", broken)
    monkeypatch.setattr(script, "keep_freed_memory", lambda: False)
    options = ["--photos", packed, "--generator", generator, "--out", out, "--device", "cpu", "--set", *TINY]
    assert script.main(list(map(str, options))) == 1
    assert load_embedder(out / "network.safetensors", load_generator(generator)).num_ws == 6
    assert json.loads((out / "evaluation.json").read_text())["after"]["mean"]["mse"] > 0


def test_a_large_network_comes_in_pieces(
    load_script: Load, small_generator: SmallGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, generator = load_script("train_burst"), load_generator(small_generator())
    config = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), identity="none", head_channels=4)
    embedder = make_embedder(config, generator, seed=0)
    save_embedder(tmp_path / "whole.safetensors", embedder)
    whole = (tmp_path / "whole.safetensors").read_bytes()
    out = tmp_path / "out"
    monkeypatch.setattr(script, "PIECE", len(whole) // 2)
    script.save(out, embedder)
    pieces = sorted(out.iterdir())
    assert [piece.name for piece in pieces] == [f"network.safetensors.{i}" for i in (1, 2, 3)][: len(pieces)]
    assert b"".join(piece.read_bytes() for piece in pieces) == whole

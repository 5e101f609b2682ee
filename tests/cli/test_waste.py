"""Nothing is done twice: what commands open, import and draw is counted, in processes of their own."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from latentloop.encoders import EmbedderConfig, make_embedder, save_embedder
from latentloop.generators import load_generator
from small_generators import SmallGenerator, SmallPhotos

TINY = EmbedderConfig(resolution=32, channels=(8, 16), depths=(1, 1), fusion_blocks=1, identity="none", head_channels=4)
COUNT = """
import json, os, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from latentloop.generators.mobilestylegan import Synthesis
forward, drawn = Synthesis.forward, []
def count(self, *args, **kwargs):
    drawn.append(self.resolution)
    return forward(self, *args, **kwargs)
Synthesis.forward = count
from latentloop.cli import main
code = main(sys.argv[1:])
print(json.dumps({"code": code, "opened": opened, "drawn": drawn, "modules": sorted(sys.modules)}))
"""


def counted(*arguments: object) -> tuple[Counter[Path], list[int], set[str]]:
    """Run a command; gives how often files were opened, sizes of the images drawn, and modules imported."""
    words = [sys.executable, "-c", COUNT, *map(str, arguments), "--device", "cpu"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["code"] == 0
    return Counter(map(Path, result["opened"])), result["drawn"], set(result["modules"])


def opens_of(opened: Counter[Path]) -> dict[str, int]:
    """How often each weights file was opened, by its name."""
    return {path.name: count for path, count in opened.items() if path.suffix == ".safetensors"}


def check_opens(opened: Counter[Path], *by_path: Path) -> None:
    """Check that each weights file was read once; one by path is opened twice, as its first 9 bytes tell its kind."""
    counts = opens_of(opened)
    assert {path.name for path in by_path} <= counts.keys()
    assert {name: count for name, count in counts.items() if count > 1 + (name in {p.name for p in by_path})} == {}


@pytest.mark.parametrize("generator", ["mobile-ffhq-1024", "mobile-ffhq-256"])
def test_an_edit_reads_each_weights_file_once_and_needs_no_optimizer(
    portrait: Path, tmp_path: Path, generator: str
) -> None:
    where = ["--out", tmp_path / "out", "--codes", tmp_path / "codes", "--generator", generator]
    opened, drawn, modules = counted("edit", portrait, "--set", "smile=1", "--steps", 0, *where)
    weights = opens_of(opened)
    assert {"mobile-ffhq-1024.safetensors", "base-ffhq.safetensors", "mtcnn.safetensors"} <= weights.keys()
    assert set(weights.values()) == {1}
    assert drawn == [1024, 1024]  # the photo's code and the edited one
    assert modules.isdisjoint({"torch._dynamo", "matplotlib", "latentloop.training", "latentloop.benchmark"})


def test_a_second_edit_finds_the_code_of_the_first_wherever_its_results_go(portrait: Path, tmp_path: Path) -> None:
    codes = ["--codes", tmp_path / "codes", "--steps", 0]
    counted("edit", portrait, "--set", "smile=1", "--out", tmp_path / "one", *codes)
    _, drawn, _ = counted("edit", portrait, "--set", "age=1", "--out", tmp_path / "two", *codes)
    assert len(drawn) == 1


def test_embed_opens_each_start_code_once(portrait: Path, tmp_path: Path) -> None:
    first = ["--generator", "mobile-ffhq-256", "--render", 256, "--steps", 0]
    counted("embed", portrait, "--out", tmp_path / "first", *first)
    start = tmp_path / "first" / f"{portrait.stem}.npz"
    for given in (start.parent, start):
        opened, _, _ = counted("embed", portrait, "--start", given, "--out", tmp_path / given.stem / "second", *first)
        assert opened[start] == 1


@pytest.mark.parametrize("steps", [0, 2])
def test_one_pass_draws_once_and_the_iterator_once_more_than_it_steps(
    portrait: Path, tmp_path: Path, steps: int
) -> None:
    quick = ["--generator", "mobile-ffhq-256", "--render", 256, "--precision", "float32"]
    _, drawn, modules = counted("embed", portrait, "--steps", steps, "--out", tmp_path, *quick)
    # With steps: the network's code, one for each loss on the way, and the best code.
    assert len(drawn) == (1 if steps == 0 else 1 + (steps + 1) + 1)
    assert "torch._dynamo" not in modules


@pytest.fixture
def generator(small_generator: SmallGenerator) -> Path:
    """The file of a generator that draws 32 pixels."""
    return small_generator()


def test_a_training_run_reads_each_weights_file_once(generator: Path, tmp_path: Path) -> None:
    small = ["--steps", 1, "--batch", 2, "--teacher-steps", 1, "--validation-images", 2, "--lambda-id", 0.1]
    opened, _, _ = counted("train", "--generator", generator, "--out", tmp_path / "run", *small)
    counts = opens_of(opened)
    assert {"mobilefacenet.safetensors", "lpips-alex.safetensors"} <= counts.keys()
    check_opens(opened, generator)


def test_a_distillation_reads_each_weights_file_once(small_generator: SmallGenerator, tmp_path: Path) -> None:
    teacher = small_generator(64)
    small = ["--resolution", 32, "--steps", 1, "--batch", 2, "--pool", 2, "--repeats", 1]
    opened, _, _ = counted("distill", "--generator", teacher, "--out", tmp_path / "run", *small)
    check_opens(opened, teacher)


def test_a_benchmark_reads_each_weights_file_once(generator: Path, small_photos: SmallPhotos, tmp_path: Path) -> None:
    network = tmp_path / "network.safetensors"
    save_embedder(network, make_embedder(TINY, load_generator(generator), seed=0))
    files = ["--generator", generator, "--embedder", network, "--out", tmp_path / "out"]
    what = ["--root", small_photos(generator, 1), "--aligned", "--methods", "one-pass", "projector:1"]
    opened, _, _ = counted("bench", *what, *files)
    assert {"lpips-alex.safetensors", "mobilefacenet.safetensors"} <= opens_of(opened).keys()
    check_opens(opened, generator, network)

"""No command replaces a file that it did not write, whatever its name and whatever stands beside it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from latentloop.folder_lock import sole_use
from latentloop.generators import load_generator
from latentloop.generators.registry import save_generator
from small_generators import SmallGenerator, SmallPhotos

Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process", "cache")
TRAIN = ["--identity", "none", "--batch", 2, "--teacher-steps", 1, "--validation-images", 2, "--steps", 1]
LOG = '{"step": 1, "loss": 0.5}\n'
OURS = '{"step": 1, "seconds": 1, "loss": 0.5, "val_loss": 0.5}\n'
COMMANDS: dict[str, list[object]] = {
    "generate": ["generate", "--count", 2],
    "samples": ["directions", "samples", "--count", 2],
    "find": ["directions", "find", "--method", "ganspace", "--count", 1, "--samples", 9, "--sheet"],
    "bench": ["bench", "--aligned", "--methods", "optimize:1"],
    "train": ["train", *TRAIN],
    "edit": ["edit", "seed:1", "--strip", "--set"],
}


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def generator(small_generator: SmallGenerator) -> Path:
    return small_generator()


@pytest.fixture
def command(generator: Path, small_photos: SmallPhotos, run: Run, tmp_path: Path) -> Callable[[str], list[object]]:
    """Makes a command that writes to the folder "out"."""

    def make(name: str) -> list[object]:
        words, out = [*COMMANDS[name]], tmp_path / "out"
        if name == "edit":
            found = tmp_path / "found.safetensors"
            find = ["directions", "find", "--method", "ganspace", "--count", 1, "--samples", 9]
            assert run(*find, "--generator", generator, "--out", found)[0] == 0
            words.append(f"{found}=1")
        if name in ("bench", "train"):
            words += ["--root" if name == "bench" else "--data", small_photos(generator, 2)]
        target = out / "mine.safetensors" if name == "find" else out
        return [*words, "--generator", generator, "--device", "cpu", "--out", target]

    return make


CASES = [
    *(("generate", name) for name in ("image-0000.png", "image-0001.png", "sheet.png")),
    *(("find", name) for name in ("mine.safetensors", "mine.png")),
    *(("samples", name) for name in ("image-00000.png", "image-00001.png", "scores.csv", "codes.safetensors")),
    *(("bench", name) for name in ("results.csv", "summary.csv", "summary.json", "table.md", "report.html")),
    *(("bench", name) for name in ("pareto.png", "grid.png", "photos/0.png", "optimize-1/0.json")),
    *(("bench", name) for name in ("optimize-1/0.npz", "optimize-1/0.png")),
    *(("train", name) for name in ("config.json", "log.jsonl", "best.safetensors", "last.safetensors")),
    *(("train", name) for name in ("validation.png", "codes.cache", "checkpoints/step-00000001.safetensors")),
]


@pytest.mark.parametrize(("name", "file"), CASES, ids=lambda value: str(value))
def test_a_file_of_somebody_else_stays(
    run: Run, command: Callable[[str], list[object]], tmp_path: Path, name: str, file: str
) -> None:
    words, path = command(name), tmp_path / "out" / file
    path.parent.mkdir(parents=True)
    path.write_text("of somebody else")
    status, _, errors = run(*words)
    assert status == 2 or (name == "bench" and status == 1)
    assert any(str(path if name != "samples" else path.parent) in error for error in errors)
    assert path.read_text() == "of somebody else"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("generate", "sheet.png"),
        ("find", "mine.safetensors"),
        ("bench", "results.csv"),
        ("bench", "optimize-1/0.npz"),
        ("bench", "optimize-1/0.png"),
    ],
)
def test_nor_is_one_replaced_that_took_the_place_of_ours(
    run: Run, command: Callable[[str], list[object]], tmp_path: Path, name: str, file: str
) -> None:
    words, path = command(name), tmp_path / "out" / file
    assert run(*words)[0] == 0
    path.write_text("of somebody else")
    run(*words, *(["--seed", 5] if name != "bench" else ["--batch", 2]))
    assert path.read_text() == "of somebody else"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "samples"])
def test_the_same_command_replaces_its_own(run: Run, command: Callable[[str], list[object]], name: str) -> None:
    words = command(name)
    assert [run(*words)[0] for _ in range(2)] == [0, 0]


@pytest.mark.parametrize("name", ["generate", "samples", "bench", "train"])
def test_a_folder_in_use_is_refused(
    run: Run, command: Callable[[str], list[object]], tmp_path: Path, name: str
) -> None:
    words = command(name)
    with sole_use(tmp_path / "out"):
        status, _, errors = run(*words)
        assert (status, len(list((tmp_path / "out").iterdir()))) == (2, 1)
    assert errors[-1].startswith(f"latentloop: {tmp_path / 'out'}: another latentloop is at work here")
    assert run(*words)[0] == 0


@pytest.mark.parametrize(("name", "folder"), [("edit", "strips"), ("bench", "photos"), ("bench", "optimize-1")])
def test_nothing_is_written_through_a_link(
    run: Run, command: Callable[[str], list[object]], tmp_path: Path, name: str, folder: str
) -> None:
    words, theirs = command(name), tmp_path / "theirs"
    for made in (theirs, tmp_path / "out"):
        made.mkdir()
    (tmp_path / "out" / folder).symlink_to(theirs)
    assert run(*words)[0] != 0
    assert not list(theirs.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    """Of all files, but for the cache's, which SQLite tidies up when it is let go."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("codes.cache"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_run_whose_parts_are_links_is_not_resumed(
    run: Run, command: Callable[[str], list[object]], tmp_path: Path
) -> None:
    out, theirs = tmp_path / "out", tmp_path / "theirs"
    assert run(*command("train"))[0] == 0
    (out / "tensorboard").mkdir(exist_ok=True)
    names = ["checkpoints", "tensorboard", "log.jsonl", "config.json", "best.safetensors", "last.safetensors"]
    for name in (*names, "validation.png", "checkpoints/step-00000001.safetensors"):
        (out / name).rename(theirs)
        (out / name).symlink_to(theirs)
        before = contents(tmp_path)
        status, _, errors = run("train", "--resume", out, "--steps", 2)
        message = f"latentloop: {out / name}: a link, and results would go where it leads; remove it; see --out"
        assert (status, errors) == (2, [message])
        assert contents(tmp_path) == before
        (out / name).unlink()
        theirs.rename(out / name)
    assert run("train", "--resume", out, "--steps", 2)[0] == 0


@pytest.mark.parametrize(
    ("names", "log"),
    [(["log.jsonl"], LOG), (["log.jsonl", "config.json"], LOG), (["log.jsonl", "config.json"], OURS)],
)
def test_the_log_of_another_trainer_makes_no_run_of_ours(
    run: Run, command: Callable[[str], list[object]], tmp_path: Path, names: list[str], log: str
) -> None:
    words, out = command("train"), tmp_path / "out"
    out.mkdir()
    contents = {"log.jsonl": log, "config.json": json.dumps({"model": "unet"})}
    for name in names:
        (out / name).write_text(contents[name])
    status, _, errors = run(*words)
    assert status == 2
    assert errors[0].startswith("latentloop: ")
    assert {path.name: path.read_text() for path in out.iterdir()} == {name: contents[name] for name in names}


@pytest.mark.parametrize("name", ["step-final.safetensors", "step-00000000.safetensors"])
def test_only_our_checkpoints_are_deleted(
    run: Run, command: Callable[[str], list[object]], tmp_path: Path, name: str
) -> None:
    words, out = command("train"), tmp_path / "out"
    assert run(*words, "--save-every", 1, "--keep", 1)[0] == 0
    others = out / "checkpoints" / name
    others.write_text("of somebody else")
    assert run("train", "--resume", out, "--steps", 2)[0] == 0
    assert [path.name for path in sorted(others.parent.iterdir())] == sorted([name, "step-00000002.safetensors"])
    assert others.read_text() == "of somebody else"


@pytest.mark.parametrize("name", ["best.safetensors", "last.safetensors", "validation.png", "config.json"])
def test_beside_real_checkpoints_content_tells_what_is_the_runs(
    run: Run, command: Callable[[str], list[object]], generator: Path, tmp_path: Path, name: str
) -> None:
    words, out = command("train"), tmp_path / "out"
    assert run(*words)[0] == 0
    ours = (out / name).read_bytes()
    theirs = [generator.read_bytes(), b"of somebody else", b'{"model": "unet"}', b""]
    for content in theirs:
        (out / name).write_bytes(content)
        before = contents(out)
        status, _, errors = run(*words)
        message = "in the way, and not of this run; move it, or choose another folder; see --out"
        assert (status, errors) == (2, [f"latentloop: {out / name}: {message}"])
        assert contents(out) == before
    (out / name).write_bytes(ours)
    assert run("train", "--resume", out, "--steps", 2)[0] == 0


@pytest.mark.parametrize("name", ["codes.cache", "codes.cache-wal"])
@pytest.mark.parametrize("there", [True, False])
def test_codes_are_not_stored_through_a_link(
    run: Run, command: Callable[[str], list[object]], tmp_path: Path, name: str, *, there: bool
) -> None:
    words, out, theirs = command("train"), tmp_path / "out", tmp_path / "theirs"
    out.mkdir()
    if there:
        theirs.touch()
    (out / name).symlink_to(theirs)
    status, _, errors = run(*words)
    message = f"latentloop: {out / name}: a link, and results would go where it leads; remove it; see --out"
    assert (status, errors) == (2, [message])
    assert theirs.exists() == there
    assert not there or not theirs.stat().st_size
    assert run(*words, "--codes", tmp_path / "named")[0] == 0


def test_convert_and_metric_replace_their_own_alone(run: Run, small_generator: SmallGenerator, tmp_path: Path) -> None:
    generator, out = small_generator(), tmp_path / "out.safetensors"
    save_generator(tmp_path / "old.safetensors", load_generator(generator))  # type: ignore[arg-type]
    commands = [["convert", generator, out], ["metric", generator, "--samples", 3, "--force", "--out", out]]
    for words, other in zip(commands, reversed(commands), strict=True):
        out.write_text("of somebody else")
        assert run(*words)[0] == 2
        assert out.read_text() == "of somebody else"
        out.unlink()
        assert [run(*words)[0], run(*words)[0], run(*other)[0]] == [0, 0, 2]

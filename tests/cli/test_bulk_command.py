import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bulk_inputs import SmallPhotos
from latentloop.bulk import BulkOptions
from latentloop.bulk.run import Progress
from latentloop.cli.bulk_progress import BulkProgress

Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = [pytest.mark.usefixtures("process"), pytest.mark.filterwarnings("ignore:.*:Warning:ray")]


def test_photos_become_records_and_an_edit_takes_one(
    run: Run, small_network: tuple[Path, Path], small_photos: SmallPhotos, tmp_path: Path
) -> None:
    generator, embedder = small_network
    photos, out = small_photos(generator, 3), tmp_path / "records"
    (photos / "text.jpg").write_text("no image")
    nets = ["--generator", generator, "--embedder", embedder]
    command = ["bulk", photos, "--out", out, "--aligned", "--workers", 1, "--device", "cpu", *nets]
    code, lines, errors = run(*command)
    assert code == 0
    assert lines == [f"{out}: records of 4 photos: 3 faces, 1 error"]
    assert errors == [f"{photos / 'text.jpg'}: not an image that this Pillow can read; save it as JPEG or PNG"]
    code, lines, errors = run(*command)  # needs no Ray: all is done
    assert (code, errors) == (0, [])
    assert lines == ["4 of 4 photos have records already", f"{out}: records of 4 photos: 3 faces, 1 error"]
    found = tmp_path / "d.safetensors"
    sefa = ["directions", "find", "--method", "sefa", "--count", 1, "--generator", generator, "--out", found]
    assert run(*sefa)[0] == 0
    edit = ["edit", "--set", f"{found}:sefa0=1", "--generator", generator, "--out", tmp_path / "edited"]
    code, lines, errors = run(*edit, f"{out}:1.png", "--photos", photos)
    assert (code, errors, len(lines)) == (0, [], 1)
    assert Path(lines[0]).name.startswith("1-")
    code, lines, errors = run(*edit, out)
    assert (code, len(lines)) == (0, 3)
    code, _, errors = run(*edit, f"{out}:text.jpg", "--photos", photos)
    assert code == 2
    assert errors == [f"latentloop: {photos / 'text.jpg'}: has no code; see the error in its record"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "name at least one photo"),
        (["gone.jpg"], "gone.jpg: no such file or folder"),
        (["a.jpg", "--quality", "fine"], "quality"),
        (["a.jpg", "--rows", "0"], "rows must be 1 or more"),
        (["a.jpg", "--embedder", "gone"], "gone: neither a file nor"),
    ],
)
def test_bad_input_is_one_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], problem: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(b"")
    code, lines, errors = run("bulk", *arguments)
    assert (code, lines, len(errors)) == (2, [], 1)
    assert problem in errors[0]
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_without_ray_it_says_what_to_install(
    run: Run, picture: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, errors = run("bulk", picture())
    assert (code, errors) == (2, ["latentloop: bulk needs Ray: pip install 'latentloop[bulk]'"])


def test_errors_are_told_once_and_the_many_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with BulkProgress(100) as progress:
        progress.show(Progress(0, 0, 0, []))
        progress.show(Progress(10, 8, 2, ["/a: one", "/b: two"]))
        progress.show(Progress(20, 18, 2, ["/a: one", "/b: two"]))
        progress.show(Progress(30, 24, 6, ["/a: one", "/b: two", "/c: three"]))
    assert capsys.readouterr().err.splitlines() == [
        "/a: one",
        "/b: two",
        "/c: three",
        "and further errors; see the records",
    ]


def test_defaults_are_one_pass() -> None:
    options = BulkOptions().embedding()
    assert (options.method, options.search.steps, options.beyond.refine) == ("embed", 0, "none")
    few = BulkOptions(quality="instant").embedding()
    assert (few.method, few.search.quality, few.search.steps, few.beyond.refine) == ("auto", "instant", None, "none")
    assert BulkOptions(steps=7).embedding().search.steps == 7

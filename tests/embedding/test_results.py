import base64
import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image

from latentloop.devices import describe_device
from latentloop.embedding.inverter import Figures
from latentloop.embedding.outcomes import Embedded, Failed, Outcome
from latentloop.embedding.result_folder import ResultFolder
from latentloop.embedding.results import Run, write_results
from latentloop.errors import UserError
from latentloop.images import read_image, write_png
from latentloop.latents.code_file import Code, save_code

METRICS = {"mse": 0.01, "psnr": 26.0, "ssim": 0.9, "lpips_alex": 0.1, "id": 0.8}
NO_FULL_SIZE = {"lpips_full": None, "pattern": None, "pattern_photo": None}
RUN = Run("toy-32", torch.device("cpu"), {"steps": 2, "space": "w+"})
FAILED = Failed(Path("photos/b.jpg"), UserError("photos/b.jpg: no face found"))


@pytest.fixture
def embedded(tmp_path: Path, make_code: Callable[..., Code]) -> Callable[..., Embedded]:
    """Put a result into the folder, and tell of it."""

    def write(name: str = "a", **metrics: float) -> Embedded:
        paths = ResultFolder(tmp_path).paths(name)
        write_png(paths.aligned, torch.zeros(3, 8, 8))
        write_png(paths.reconstruction, torch.ones(3, 8, 8))
        save_code(paths.code, make_code())
        figures = Figures({**METRICS, **metrics}, 1.23456)
        return Embedded(Path("photos") / f"{name}.jpg", name, figures, None, 2, skipped=False)

    return write


def results_of(folder: Path, *outcomes: Outcome) -> dict[str, Any]:
    """What results.json says, read strictly."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert write_results(ResultFolder(folder), outcomes, RUN) == folder / "report.html"
    text = (folder / "results.json").read_text(encoding="utf-8")
    results: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return results


def test_results_say_all_about_a_run(tmp_path: Path, embedded: Callable[..., Embedded]) -> None:
    assert results_of(tmp_path, embedded(), FAILED) == {
        "photos": [
            {
                "file": str(Path("photos/a.jpg")),
                "name": "a",
                "metrics": METRICS | NO_FULL_SIZE,
                "seconds": 1.235,
                "code": "a.npz",
                "reconstruction": "a.png",
                "aligned": "aligned/a.png",
            }
        ],
        "failed": [{"file": str(Path("photos/b.jpg")), "error": "photos/b.jpg: no face found"}],
        "generator": "toy-32",
        "settings": {"steps": 2, "space": "w+"},
        "device": describe_device(torch.device("cpu")),
        "versions": {name: version(name) for name in ("latentloop", "torch", "numpy", "pillow")},
    }


def test_the_files_named_are_there(tmp_path: Path, embedded: Callable[..., Embedded]) -> None:
    (photo,) = results_of(tmp_path, embedded())["photos"]
    assert all((tmp_path / photo[kind]).is_file() for kind in ("code", "reconstruction", "aligned"))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_figure_that_json_cannot_say_is_null(tmp_path: Path, embedded: Callable[..., Embedded], value: float) -> None:
    (photo,) = results_of(tmp_path, embedded(psnr=value))["photos"]
    assert photo["metrics"] == {**METRICS, **NO_FULL_SIZE, "psnr": None}


def test_figures_at_full_size_are_told_where_there_are_any(tmp_path: Path, embedded: Callable[..., Embedded]) -> None:
    (photo,) = results_of(tmp_path, embedded(pattern=1.25))["photos"]
    assert photo["metrics"] == {**METRICS, **NO_FULL_SIZE, "pattern": 1.25}


def test_photos_keep_their_order(tmp_path: Path, embedded: Callable[..., Embedded]) -> None:
    results = results_of(tmp_path, *(embedded(name) for name in ("c", "a", "b")))
    assert [photo["name"] for photo in results["photos"]] == ["c", "a", "b"]


def test_a_run_in_which_all_failed_has_results_and_a_report(tmp_path: Path) -> None:
    assert results_of(tmp_path, FAILED)["photos"] == []
    assert "photos/b.jpg: no face found" in (tmp_path / "report.html").read_text(encoding="utf-8")


def links(page: Path) -> list[str]:
    """What a page links to or shows, but for what is in it."""
    found = re.findall(r'(?:src|href)="([^"]*)"', page.read_text(encoding="utf-8"))
    return [link for link in dict.fromkeys(found) if not link.startswith("data:")]


@pytest.fixture
def three_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three photos get pages of two, and one of them is shown at first."""
    monkeypatch.setattr("latentloop.embedding.results.FEW", 2)
    monkeypatch.setattr("latentloop.embedding.pages.PAGE_SIZE", 2)
    monkeypatch.setattr("latentloop.embedding.overview.SHOWN", 1)


@pytest.mark.usefixtures("three_are_many")
def test_many_photos_have_pages_and_the_worst_are_shown_first(
    tmp_path: Path, embedded: Callable[..., Embedded]
) -> None:
    names = ["anna", "ben #1", "cleo"]
    results_of(tmp_path, *(embedded(name, lpips_alex=0.3 if name == "cleo" else 0.1) for name in names))
    report = tmp_path / "report.html"
    assert links(report) == ["report/page-1.html", "report/page-2.html"]
    shown = re.findall("<h2>(.*?)</h2>", report.read_text(encoding="utf-8"))
    assert shown[-4:-1] == ["The 1 with the highest LPIPS", "cleo", "1 others, at random"]
    pages = [tmp_path / link for link in links(report)]
    assert links(pages[0]) == [
        *("../report.html", "page-2.html", "../anna.png", "anna.jpg", "../ben%20%231.png", "ben%20%231.jpg")
    ]
    assert links(pages[1]) == ["../report.html", "page-1.html", "../cleo.png", "cleo.jpg"]
    for page in (report, *pages):
        assert all((page.parent / unquote(link)).is_file() for link in links(page))
    with Image.open(tmp_path / "report" / "anna.jpg") as picture:
        assert picture.size == (3 * 160, 160)
        shades = np.asarray(picture).reshape(160, 3, 160, 3).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(
        shades, [127.5, 255, (252 + 255 + 164) / 3], atol=2
    )  # the last: the brightest of inferno


@pytest.mark.usefixtures("three_are_many")
def test_a_thumbnail_is_made_once_and_again_for_another_code(
    tmp_path: Path, embedded: Callable[..., Embedded], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes, read = [embedded(name) for name in ("anna", "ben", "cleo")], list[str]()
    folder = ResultFolder(tmp_path)

    def draw(name: str, key: str) -> None:
        for picture in (folder.paths(name).aligned, folder.paths(name).reconstruction):
            write_png(picture, torch.ones(3, 8, 8), comment=f"latentloop embed {key}")

    def counted(path: Path) -> torch.Tensor:
        read.append(path.name)
        return read_image(path)

    for name in ("anna", "ben", "cleo"):
        draw(name, "one")
    monkeypatch.setattr("latentloop.embedding.thumbnails.read_image", counted)
    for again, names in ((False, ["anna", "ben", "cleo"]), (False, []), (True, ["ben"])):
        if again:
            draw("ben", "two")
        results_of(tmp_path, *outcomes)
        assert read == [f"{name}.png" for name in names for _ in range(2)]
        read.clear()


@pytest.mark.usefixtures("three_are_many")
def test_pages_of_an_earlier_report_go_and_those_of_others_stay(
    tmp_path: Path, embedded: Callable[..., Embedded]
) -> None:
    outcomes = [embedded(name) for name in ("anna", "ben", "cleo", "dan", "eve")]
    results_of(tmp_path, *outcomes)
    (tmp_path / "report" / "page-mine.html").write_text("mine")

    def pages() -> list[str]:
        return sorted(path.name for path in (tmp_path / "report").glob("*.html"))

    assert pages() == ["page-1.html", "page-2.html", "page-3.html", "page-mine.html"]
    results_of(tmp_path, *outcomes[:3])
    assert pages() == ["page-1.html", "page-2.html", "page-mine.html"]
    results_of(tmp_path, *outcomes[:2])
    assert pages() == ["page-mine.html"]
    assert links(tmp_path / "report.html") == []


@pytest.mark.usefixtures("three_are_many")
@pytest.mark.parametrize("count", [1, 3])
def test_without_pictures_the_report_has_figures_alone(
    tmp_path: Path, embedded: Callable[..., Embedded], count: int
) -> None:
    outcomes = [replace(embedded(name), pictures=False) for name in ("anna", "ben", "cleo")[:count]]
    (photo, *_) = results_of(tmp_path, *outcomes)["photos"]
    assert {"reconstruction", "aligned"}.isdisjoint(photo)
    pages = [tmp_path / "report.html", *(tmp_path / "report").glob("*.html")]
    assert len(pages) == (3 if count == 3 else 1)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "0.9000" in text or "0.900" in text
        assert "image/jpeg" not in text
        assert ".jpg" not in text


@pytest.mark.parametrize(("size", "crops"), [(1024, 4), (256, 0)])
def test_the_first_photos_are_shown_at_full_size(
    tmp_path: Path, embedded: Callable[..., Embedded], monkeypatch: pytest.MonkeyPatch, size: int, crops: int
) -> None:
    monkeypatch.setattr("latentloop.embedding.results.CLOSE_UPS", 2)
    photos = [embedded(name) for name in ("anna", "ben", "cleo")]
    for photo in photos:
        write_png(ResultFolder(tmp_path).paths(photo.name).reconstruction, torch.ones(3, size, size))
    results_of(tmp_path, *photos)
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    pictures = [base64.b64decode(found) for found in re.findall(r"data:image/jpeg;base64,([^\"]+)", report)]
    sizes = [Image.open(io.BytesIO(picture)).size for picture in pictures]
    assert sizes.count((512, 512)) == crops
    assert len(sizes) == 9 + crops


def test_the_cpu_is_described_with_its_threads() -> None:
    assert describe_device(torch.device("cpu")).startswith("cpu: ")
    assert f"{torch.get_num_threads()} threads" in describe_device(torch.device("cpu"))


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"results\.json: cannot write here"):
        write_results(ResultFolder(tmp_path / "file"), [FAILED], RUN)

import base64
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from latentloop.embedding.labels import LABELS
from latentloop.embedding.overview import Overview, PageLink, looked_at_first
from latentloop.embedding.report import CloseUp, OnePass, Page, Pictures, Row, write_report
from latentloop.embedding.thumbnails import DIFFERENCE_RANGE, difference
from latentloop.errors import UserError

METRICS = {"mse": 0.01234, "psnr": 25.107, "ssim": 0.8766, "lpips_alex": 0.1234, "id": 0.7654}
PHOTO = torch.linspace(-1, 1, 3 * 16 * 16).reshape(1, 3, 16, 16)
Show = Callable[..., "Shown"]


class Shown(HTMLParser):
    """What a browser makes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.opens: list[str] = []  # what a click on each button opens
        self.closed: list[str] = []  # what is shown only after a click
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        self.opens += [named.get("popovertarget") or ""] if tag == "button" else []
        self.closed += [named.get("id") or ""] if "popover" in named else []
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data


def row(name: str = "anna", reconstruction: Tensor = PHOTO, **figures: float) -> Row:
    shown = Pictures(PHOTO, reconstruction)
    return Row(name, shown, {**METRICS, **figures}, seconds=12.34, losses=[0.5, 0.2, 0.1])


@pytest.fixture
def show(tmp_path: Path) -> Show:
    def write(*rows: Row, failures: dict[str, str] | None = None, overview: Overview | None = None) -> Shown:
        page = Page("A title", {"generator": "toy <32>", "device": "cpu"}, rows, failures or {}, overview)
        write_report(tmp_path / "new" / "report.html", page)
        return Shown((tmp_path / "new" / "report.html").read_text(encoding="utf-8"))

    return write


def test_a_report_shows_title_facts_names_and_figures(show: Show) -> None:
    shown = show(row("anna"), row("zoë"))
    for text in ("A title", "toy <32>", "cpu", "anna", "zoë", "0.0123", "25.11", "0.877", "0.123", "0.765", "12.3"):
        assert text in shown.text
    for name in METRICS:
        assert "{0} {2}".format(*LABELS[name]) in shown.text


def test_a_report_needs_no_other_file_and_no_network(show: Show) -> None:
    shown = show(row("anna"), row("ben"))
    assert len(shown.links) == 8  # photo, reconstruction, difference and the curve of each
    assert all(link.startswith(("data:image/jpeg;base64,", "data:image/svg+xml;base64,")) for link in shown.links)
    assert not {"script", "link", "iframe", "object"} & set(shown.tags)


def test_the_pictures_inside_are_the_ones_given(show: Show) -> None:
    photo, reconstruction, _, curve = (
        base64.b64decode(link.split(",")[1]) for link in show(row(reconstruction=-torch.ones(1, 3, 16, 16))).links
    )
    shades = (
        np.asarray(Image.open(io.BytesIO(photo))).mean(axis=(0, 1)),
        np.asarray(Image.open(io.BytesIO(reconstruction))),
    )
    np.testing.assert_allclose(shades[0], (PHOTO.mean(dim=(0, 2, 3)).numpy() + 1) * 127.5, atol=2)
    assert shades[1].max() <= 2
    assert b"<svg" in curve


def test_what_one_pass_found_stands_beside_what_became_of_it(show: Show) -> None:
    metrics = {**METRICS, "mse": 0.75}
    pictures = Pictures(PHOTO, PHOTO, one_pass=PHOTO)
    shown = show(replace(row(mse=0.25), pictures=pictures, one_pass=OnePass(metrics, 0.5)), row(mse=0.5))
    assert len(shown.links) == 9
    for text in ("one pass", "0.7500", "0.2500", "0.3750"):
        assert text in shown.text


def test_a_click_on_a_picture_shows_it_at_full_size(show: Show) -> None:
    crop = torch.ones(1, 3, 512, 512)
    near = [CloseUp(-crop, crop), CloseUp(crop, crop)]
    shown = show(row(), *(replace(row(), pictures=Pictures(PHOTO, PHOTO, close_up=one)) for one in near))
    assert shown.opens == 3 * ["close-up-2"] + 3 * ["close-up-3"]
    assert shown.closed == ["close-up-2", "close-up-3"]
    pixels = [np.asarray(Image.open(io.BytesIO(base64.b64decode(link.split(",")[1])))) for link in shown.links[8:10]]
    assert [one.shape for one in pixels] == 2 * [(512, 512, 3)]
    assert [one.mean() for one in pixels] == [0, 255]


def test_figures_that_a_photo_lacks_are_dashes_and_do_not_count_in_means(show: Show) -> None:
    shown = show(row(lpips_full=0.2), row(lpips_full=0.4), row())
    assert "LPIPS (full size) ↓" in shown.text
    assert "pattern" not in shown.text
    assert shown.text.count("0.300") == 1
    assert shown.text.count("0.765-12.3") == 1


def test_what_id_means_is_explained(show: Show) -> None:
    assert "Photos of different people score" in " ".join(show(row()).text.split())


def test_a_name_is_text_and_never_markup(show: Show) -> None:
    name = "<script>alert(1)</script>.png"
    shown = show(row(name), failures={name: f"{name}: no face found"})
    assert "script" not in shown.tags
    assert shown.text.count(name) == 2


def test_failures_are_listed_with_their_reasons(show: Show) -> None:
    shown = show(row(), failures={"a.png": "a.png: no face found", "b.png": "b.png: no such file"})
    for text in ("Left out: 2", "a.png: no face found", "b.png: no such file"):
        assert text in shown.text


def test_a_report_without_photos_still_lists_the_failures(show: Show) -> None:
    shown = show(failures={"a.png": "a.png: no such file"})
    assert "a.png: no such file" in shown.text
    assert "img" not in shown.tags
    assert "Mean" not in shown.text


def test_the_mean_is_shown_for_more_than_one_photo(show: Show) -> None:
    assert "Mean" not in show(row(mse=1.0)).text
    text = show(row(mse=1.0), row(mse=2.0)).text
    assert "Mean of 2" in text
    assert "1.5000" in text


def test_a_row_without_pictures_has_figures_and_the_course_of_the_loss(show: Show) -> None:
    shown = show(replace(row("anna"), pictures=None))
    assert "0.0123" in shown.text
    assert len(shown.links) == 1
    assert shown.links[0].startswith("data:image/svg+xml")


def test_of_many_photos_all_are_summed_up_and_some_shown(show: Show) -> None:
    metrics = [{**METRICS, "mse": float(i)} for i in range(300)]
    pages = [PageLink("report/page-1.html", "1 to 100: anna to ben"), PageLink("report/page-2.html", "101 to 200")]
    overview = Overview(metrics, [], {0: "The worst", 1: "Some others"}, pages)
    shown = show(row("anna"), row("ben"), overview=overview)
    for text in ("Mean of 300", "149.5", "The worst", "Some others", "1 to 100: anna to ben"):
        assert text in shown.text
    assert shown.text.index("The worst") < shown.text.index("anna\n") < shown.text.index("Some others")
    pictures = [link for link in shown.links if link.startswith("data:image/")]
    assert [link for link in shown.links if link not in pictures] == ["report/page-1.html", "report/page-2.html"]
    assert len(pictures) == 1 + 8
    histograms = base64.b64decode(pictures[0].partition("base64,")[2]).decode()
    assert "median 150.0000" in histograms


def test_the_worst_are_looked_at_first_and_some_others_the_same_each_time() -> None:
    metrics = [{"lpips_alex": 0.01 * (i % 50)} for i in range(100)] + [{"lpips_alex": float("nan")}, {}]
    worst, others = looked_at_first(metrics)
    assert set(worst[:2]) == {100, 101}
    assert sorted(worst[2:]) == sorted([*range(41, 50), *range(91, 100)])
    assert len(others) == 20
    assert others == sorted(set(others) - set(worst))
    assert looked_at_first(metrics) == (worst, others)
    assert looked_at_first(metrics[:3]) == ([2, 1, 0], [])


@pytest.mark.parametrize("losses", [[], [0.5], [0.0, 0.0], [0.5, 0.0], [1e-12, 1e9]])
def test_any_course_of_the_loss_is_shown_without_warning(show: Show, losses: list[float]) -> None:
    shown = show(Row("anna", Pictures(PHOTO, PHOTO), METRICS, 0.0, losses))
    assert len(shown.links) == (4 if len(losses) > 1 else 3)


def test_the_losses_of_steps_at_full_size_are_a_line_of_their_own(show: Show) -> None:
    def lines(full_size_steps: int) -> list[int]:
        """Points of each line of the curve."""
        shown = show(replace(row(), losses=[0.5, 0.3, 0.2, 0.6, 0.4], full_size_steps=full_size_steps))
        svg = base64.b64decode(shown.links[-1].partition("base64,")[2]).decode()
        return [
            len(re.findall("[ML] ", path))
            for path in re.findall(
                r'<g id="line2d_\d+">\s*<path d="([^"]*)" clip-path[^>]*stroke: #(?:c2410c|0f766e)', svg
            )
        ]

    assert lines(0) == [5]
    assert lines(2) == [3, 2]


def test_a_perfect_reconstruction_is_shown(show: Show) -> None:
    assert "inf" in show(row(psnr=float("inf")), row()).text


def test_the_same_page_is_written_alike(show: Show, tmp_path: Path) -> None:
    pages = []
    for _ in range(2):
        show(row())
        pages.append((tmp_path / "new" / "report.html").read_bytes())
    assert pages[0] == pages[1]


def test_a_report_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"report\.html: cannot write here"):
        write_report(tmp_path / "file" / "report.html", Page("A title", {}, [], {}))


def test_the_difference_of_equal_images_is_black() -> None:
    image = difference(PHOTO, PHOTO)
    assert image.shape == PHOTO.shape
    assert image.max() < -0.96  # the darkest colour of inferno has a little blue


def test_the_difference_grows_brighter_up_to_its_range() -> None:
    steps = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0, 2.0]) * DIFFERENCE_RANGE
    image = PHOTO.new_zeros(1, 3, 1, 6)
    brightness = difference(image + steps, image).sum(dim=1)[0, 0]
    assert (brightness.diff()[:4] > 0).all()
    assert brightness[4] == brightness[5]


def test_a_name_that_is_not_utf8_is_escaped(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", Page("caf\udce9.jpg", {}, [], {}))
    assert r"caf\udce9.jpg" in (tmp_path / "report.html").read_text(encoding="utf-8")

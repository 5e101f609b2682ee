"""Figures of the documentation: where they are kept, when they are stale, and how pages show them."""

import json
from pathlib import Path

import pytest

from measuring import methods
from measuring.catalogue import MEASUREMENTS, named
from measuring.machine import Machine
from measuring.measurement import Measurement
from measuring.pages import PAGES, PLACE, filled
from measuring.plot import methods_figure
from measuring.readers import generator_table, studio_json
from measuring.records import make_record, write_record
from measuring.sources import ROOT
from measuring.tables import measured, renderers

MACHINE = Machine("Some Processor", cores=2, threads=1, bfloat16=False, torch="2.13.0", load=0.1)
SAID = """torch 2.13.0, cpu: x86_64, 1 threads, torch.float32
The convolution, 3x3 on 256 channels of 128x128: 180 ms, 107 GFLOP/s.

| generator | drawn at | batch | how | pass | ms an image | GFLOP/s | of the convolution's rate | times it |
|---|---|---|---|---|---|---|---|---|
| small | 256 | 1 | eager | forward | 40 | 60 | 56% | 0.22 |
| small | 256 | 1 | onnx | forward | 30 | 80 | 75% | 0.17 |

A step of the iterator on small: 190 ms, 40% outside the generator
"""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_show_what_the_records_say(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert PLACE.search(text)
    assert filled(text, renderers()) == text


def test_every_measurement_has_a_place_on_a_page() -> None:
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {place["name"] for place in PLACE.finditer(text)} == set(renderers())


def test_a_place_that_no_figures_have_is_an_error() -> None:
    with pytest.raises(LookupError, match="no figures are called other"):
        filled("<!-- figures: other -->\n<!-- end -->\n", {"one": lambda: "text"})


def test_places_are_filled_again_and_again_and_the_rest_stays() -> None:
    page = "before\n\n<!-- figures: one -->\nold\n<!-- end -->\n\nafter\n"
    once = filled(page, {"one": lambda: "new"})
    assert once == "before\n\n<!-- figures: one -->\n\nnew\n\n<!-- end -->\n\nafter\n"
    assert filled(once, {"one": lambda: "new"}) == once


@pytest.mark.parametrize("one", MEASUREMENTS, ids=lambda one: one.name)
def test_measurements_name_sources_and_scripts_that_exist(one: Measurement) -> None:
    assert len(one.depends) == 64
    assert one.command[0] == "-m" or (ROOT / one.command[0]).is_file()
    assert "{" not in one.shown


def test_commands_are_shown_as_users_type_them(tmp_path: Path) -> None:
    assert named("generator").shown == "latentloop bench generator --batches 1"
    one = named("one-pass")
    assert one.shown == "python scripts/network_figures.py base-ffhq --photos HELD-OUT"
    words = one.words({"held_out": Path("faces")}, tmp_path / "a.json")
    assert words[-4:] == ["--photos", "faces", "--json", str(tmp_path / "a.json")]
    with pytest.raises(LookupError, match="one-pass: needs --held-out FOLDER"):
        one.words({"held_out": None}, tmp_path / "a.json")
    with pytest.raises(LookupError, match="no measurement is called other"):
        named("other")


def test_the_table_of_generators_is_read_and_shown(tmp_path: Path) -> None:
    figures = generator_table(SAID, tmp_path)
    one = named("generator")
    record = make_record(one, figures, machine=MACHINE, minutes=1, depends=one.depends)
    write_record("generator", record, folder=tmp_path)
    page = measured("generator", tmp_path)
    assert "| small, forward, drawn at 256, ONNX Runtime | 30 | 75% |" in page
    assert "| small, a step of the iterator | 190 |  |" in page
    assert "107 GFLOP/s, torch.float32" in page
    assert "Some Processor, 2 virtual processors without bfloat16, 1 thread, PyTorch 2.13.0, load 0.1 before" in page
    with pytest.raises(ValueError, match="no table"):
        generator_table("nothing", tmp_path)


def test_the_studio_s_times_are_summarised(tmp_path: Path) -> None:
    times = [float(i) for i in range(1, 21)]
    content = {"ready": 3.0, "uploads": times, "previews": times, "rests": [1.0], "errors": ["one"]}
    (tmp_path / "a.json").write_text(json.dumps(content))
    figures = studio_json("", tmp_path / "a.json")
    assert isinstance(figures, dict)
    assert (figures["uploads"], figures["errors"]) == ({"median": 10.5, "p95": 19.0, "n": 20}, 1)


def test_what_is_not_measured_is_said(tmp_path: Path) -> None:
    assert measured("bulk", tmp_path) == "*Not measured yet:* `python scripts/measure_all.py --run bulk`"


def result(lpips: float, seconds: float, **more: float) -> dict[str, object]:
    return {"figures": {"lpips_alex": lpips, **more}, "seconds": seconds, "depends": "", "date": "2026-11-29"}


SETS = {
    "hybrid-50": {"a": result(0.1, 50), "b": result(0.3, 70), "c": result(0.5, 60, lpips_full=0.4)},
    "one-pass": {"a": result(0.2, 1), "b": result(0.4, 1), "c": result(0.6, 1, lpips_full=0.5)},
    "projector-1000": {"a": result(0.9, 900), "x": result(0, 0)},
}


def test_means_are_over_the_photos_that_all_rows_have() -> None:
    first, second = methods.tables(SETS)
    assert (first.images, [row.method for row in first.rows]) == (["a", "b", "c"], ["one-pass", "hybrid-50"])
    assert [round(row.figures["lpips_alex"], 6) for row in first.rows] == [0.4, 0.3]
    assert [row.seconds for row in first.rows] == [1, 60]
    assert (first.counts, first.rows[1].figures["lpips_full"]) == ({"lpips_alex": 3, "lpips_full": 1}, 0.4)
    assert second.images == ["a"]
    assert [(row.method, row.figures["lpips_alex"]) for row in second.rows] == [
        ("one-pass", 0.2),
        ("hybrid-50", 0.1),
        ("projector-1000", 0.9),
    ]
    assert methods.tables({}) == []


def test_the_plot_has_a_panel_for_each_set_with_results() -> None:
    figure = methods_figure({"samples": SETS, "celeba": {}})
    assert figure is not None
    (axes,) = figure.axes
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["Ours, one pass", "Ours, hybrid, 50 steps"]
    assert methods_figure({}) is None


def bench_result(folder: Path, method: str, image: str, lpips: float) -> None:
    (folder / method).mkdir(parents=True, exist_ok=True)
    figures = {"strict: lpips_alex": {"lpips_alex": lpips}, "psp: lpips_alex": {"lpips_alex": 9.0}}
    content = {"key": "k", "cost": {"seconds": 2.0, "memory": 1, "calls": 3, "batch": 1}, "figures": figures}
    (folder / method / f"{image}.json").write_text(json.dumps(content))


def test_results_are_collected_by_method_and_photo_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "depends", lambda _: "old")
    bench_result(tmp_path, "hybrid-50", "a", 0.1)
    bench_result(tmp_path, "photos", "a", 0.1)
    before = methods.collect(tmp_path, before={}, machine=MACHINE)
    assert before["hybrid-50"]["a"]["figures"] == {"lpips_alex": 0.1}
    assert before["hybrid-50"]["a"]["machine"]["load"] is None
    monkeypatch.setattr(methods, "depends", lambda _: "new")
    bench_result(tmp_path, "hybrid-50", "b", 0.2)
    after = methods.collect(tmp_path, before=before, machine=MACHINE)
    assert {image: one["depends"] for image, one in after["hybrid-50"].items()} == {"a": "old", "b": "new"}
    assert set(after) == {"hybrid-50"}
    assert list(methods.stale({"samples": after})) == ["samples: hybrid-50 (1 photo)"]
    again = methods.collect(tmp_path, before=after, machine=MACHINE, sources="new")
    assert {one["depends"] for one in again["hybrid-50"].values()} == {"new"}
    assert list(methods.stale({"samples": again})) == []
    with pytest.raises(FileNotFoundError, match="no results of latentloop bench"):
        methods.collect(tmp_path / "gone", before={}, machine=MACHINE)

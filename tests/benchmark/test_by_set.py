import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from latentloop.benchmark.by_set import as_json, by_set_cells, by_set_header, cell_named, read_beside
from latentloop.benchmark.comparison import Comparison, MethodLine, MethodMeans, Result, SetMeans
from latentloop.errors import UserError

CONDITIONS = {"protocol": "strict", "generator": "toy"}


def means(psnr: float, ssim: float, lpips: float) -> dict[str, float]:
    return {"mse": 0.0, "psnr": psnr, "ssim": ssim, "lpips_alex": lpips}


def run(name: str, methods: Mapping[str, Mapping[str, float]], images: int = 3) -> SetMeans:
    of_methods = {method: MethodMeans(method.upper(), figures) for method, figures in methods.items()}
    return SetMeans(name, images, CONDITIONS, of_methods)


def comparison(beside: Sequence[SetMeans] = ()) -> Comparison:
    figures = [means(20, 0.5, 0.1), means(21, 0.7, 0.3)]
    results = [Result("a", str(i), one, 1.0, None, 1, 1) for i, one in enumerate(figures)]
    return Comparison(
        "celeba-hq", {}, CONDITIONS, tuple(figures[0]), [MethodLine("a", "A", "", True, results)], (), beside
    )


def test_every_method_of_every_run_has_a_row() -> None:
    cacd = run("cacd", {"b": means(17.456, 0.4321, 0.2468), "a": means(18, 0.45, 0.25)})
    ffhq = run("ffhq", {"c": means(1, 2, 3)}, images=1)
    table = comparison([cacd, ffhq])
    assert cell_named(table) == "PSNR / SSIM / LPIPS (alex)"
    assert by_set_header(table) == ["method", "celeba-hq, 2 images", "cacd, 3 images", "ffhq, 1 image"]
    assert by_set_cells(table) == [
        ["A", "20.50 / 0.600 / 0.200", "18.00 / 0.450 / 0.250", "-"],
        ["B", "-", "17.46 / 0.432 / 0.247", "-"],
        ["C", "-", "-", "1.00 / 2.000 / 3.000"],
    ]


def test_alone_there_is_one_column() -> None:
    assert by_set_cells(comparison()) == [["A", "20.50 / 0.600 / 0.200"]]


def test_a_protocol_without_psnr_shows_mse() -> None:
    table = replace(comparison(), columns=("mse", "lpips_alex", "id"))
    beside = SetMeans("cacd", 1, CONDITIONS, {"a": MethodMeans("A", {"mse": 0.12345, "lpips_alex": 0.5})})
    assert cell_named(table) == "MSE / LPIPS (alex)"
    table = replace(comparison([beside]), columns=("mse", "lpips_alex"))
    assert by_set_cells(table) == [["A", "0.0000 / 0.200", "0.1235 / 0.500"]]


def left(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "summary.json").write_text(content)
    return folder


def test_what_a_run_leaves_is_read_again(tmp_path: Path) -> None:
    runs = [run("cacd", {"a": means(1, 2, 3)}), run("ffhq", {"b": means(4, 5, 6)})]
    folders = [left(tmp_path / one.name, as_json(one)) for one in runs]
    assert read_beside(folders, "celeba-hq", CONDITIONS) == runs
    assert read_beside([], "celeba-hq", CONDITIONS) == []


def test_what_does_not_compare_is_refused_in_one_line(tmp_path: Path) -> None:
    good = left(tmp_path / "good", as_json(run("cacd", {})))
    again = left(tmp_path / "again", as_json(run("cacd", {}, images=5)))

    def message(*folders: Path, name: str = "ffhq", conditions: Mapping[str, str] = CONDITIONS) -> str:
        with pytest.raises(UserError) as caught:
            read_beside(folders, name, conditions)
        assert "\n" not in str(caught.value)
        assert caught.value.arguments == ("beside",)
        return str(caught.value).replace(str(tmp_path), "X")

    psp, other = CONDITIONS | {"protocol": "psp"}, CONDITIONS | {"generator": "toy-2"}
    assert message(good, conditions=psp) == "X/good: made with another protocol, strict; here it is psp"
    assert message(good, conditions=other) == "X/good: made with another generator, toy; here it is toy-2"
    assert message(good, name="cacd").startswith("X/good: cacd has its column already")
    assert message(good, again).startswith("X/again: cacd has its column already")
    assert message(tmp_path / "none") == (
        "X/none: cannot read summary.json: No such file or directory; run the benchmark in that folder first"
    )


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"methods": {"a": {"title": "A", "means": {"mse": "?"}}}}),
        '{"name": "a", "images": Infinity, "conditions": {}, "methods": {}}',
        "[" * 100_000,
    ],
    ids=str.__len__,
)
def test_a_damaged_summary_is_told(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match=r"summary\.json is damaged; run the benchmark in that folder first"):
        read_beside([left(tmp_path / "bad", content)], "ffhq", CONDITIONS)

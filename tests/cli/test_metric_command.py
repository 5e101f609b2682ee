from collections.abc import Callable
from pathlib import Path

import pytest

from latentloop.generators import load_generator
from latentloop.inversion import metric_estimate
from latentloop.inversion.metric_file import find_metric
from small_generators import SmallGenerator

Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_metric_goes_where_it_is_looked_for(run: Run, small_generator: SmallGenerator, cache: Path) -> None:
    generator = small_generator()
    code, lines, errors = run("metric", generator, "--samples", "5", "--device", "cpu")
    (path,) = cache.glob("metrics/*.safetensors")
    assert (code, lines, errors) == (0, [str(path), "embed, edit and bench take it from now on"], [])
    found = find_metric(load_generator(generator))
    assert found is not None
    assert found.axes.shape == (6, 8, 8)
    code, _, errors = run("metric", generator, "--samples", "5")
    assert (code, errors) == (2, [f"latentloop: {path}: exists already; see --force"])
    assert run("metric", generator, "--samples", "6", "--force")[0] == 0
    again = find_metric(load_generator(generator))
    assert again is not None
    assert again.sha256 != found.sha256


def test_an_interrupted_run_leaves_no_file(
    run: Run, small_generator: SmallGenerator, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimate = metric_estimate.estimate_metric

    def interrupted(*arguments: object, **options: object) -> object:
        estimate(*arguments, **options)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr("latentloop.inversion.metric_job.estimate_metric", interrupted)
    out = tmp_path / "out" / "metric.safetensors"
    for place in ([], ["--out", out]):
        assert run("metric", small_generator(), "--samples", "1", *place)[0] == 130
    assert not out.exists()
    assert not list(cache.rglob("*.safetensors"))


def test_what_cannot_be_kept_is_not_measured(
    run: Run, small_generator: SmallGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentloop.inversion.metric_job.estimate_metric", lambda *_, **__: pytest.fail("measured"))
    file = tmp_path / "file"
    file.write_text("")
    generator = small_generator()
    assert run("metric", generator, "--out", file / "metric.safetensors")[2] == [
        f"latentloop: {file}: cannot write here: File exists"
    ]
    assert run("metric", generator, "--out", tmp_path, "--force")[2] == [
        f"latentloop: {tmp_path}: a folder, not a file; see --out"
    ]


def test_a_bundled_metric_is_not_measured_where_nobody_would_look(run: Run, cache: Path) -> None:
    code, lines, errors = run("metric", "mobile-ffhq-256")
    reason = "the metric of mobile-ffhq-256 is bundled; to measure it again, name a file to write; see --out"
    assert (code, lines, errors) == (2, [], [f"latentloop: {reason}"])
    assert not cache.exists()


def test_a_metric_to_share_is_written_where_it_is_wanted(
    run: Run, small_generator: SmallGenerator, tmp_path: Path, cache: Path
) -> None:
    out = tmp_path / "metric.safetensors"
    assert run("metric", small_generator(), "--samples", "1", "--out", out)[:2] == (0, [str(out)])
    assert out.is_file()
    assert not cache.exists()

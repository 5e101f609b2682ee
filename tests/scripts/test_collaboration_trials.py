import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from latentloop.training import read_options
from small_generators import SmallGenerator, SmallPhotos


def test_all_ways_go_on_from_one_network_for_as_long(
    load_script: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    small_generator: SmallGenerator,
    small_photos: SmallPhotos,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two ways, a step each, where the metric takes a real generator: measured, printed, and not done again."""
    script = load_script("collaboration_trials")
    monkeypatch.setattr("latentloop.training.entry.keep_freed_memory", lambda: False)
    ways = {name: script.WAYS[name] for name in ("photo", "teacher-1")}
    ways["teacher-1"] = {**ways["teacher-1"], "teacher_metric": False}
    monkeypatch.setattr(script, "WAYS", ways)
    monkeypatch.setattr(script, "COMMON", {**script.COMMON, "steps": 1, "repeats": 1})
    generator, out = small_generator(64), tmp_path / "out"
    photo, held_out = (str(small_photos(generator, 1, folder) / "0.png") for folder in ("faces", "held-out"))
    trials = script.Trials(
        (photo,), (held_out,), minutes=5.0, seeds=(3,), batch=2, generator=str(generator), device="cpu", out=out
    )
    trials.run()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[:3] for line in lines[2:]] == [
        ["| begun", "3", "2"],
        ["| photo", "3", "2"],
        ["| teacher-1", "3", "2"],
    ]
    begun, photo_way, taught = (read_options(out / f"{name}-3") for name in ("begun", "photo", "teacher-1"))
    assert begun.start is None
    assert photo_way.start == taught.start == str(out / "begun-3" / "last.safetensors")
    assert {one.config.minutes for one in (begun, photo_way, taught)} == {5.0}
    assert (taught.collaboration.teacher_steps, taught.collaboration.image_target) == (1, "teacher")
    measured = json.loads((out / "photo-3" / "measured.json").read_text())
    assert float(lines[3].split(" | ")[3]) == pytest.approx(measured["lpips_alex"], abs=1e-3)
    monkeypatch.setattr(script, "train", None)
    trials.run()
    assert capsys.readouterr().out.splitlines() == lines

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from latentloop.encoders import load_embedder
from latentloop.generators import load_generator
from latentloop.training import read_options
from small_generators import SmallGenerator, SmallPhotos

TINY = {"steps": 1, "batch": 2, "resolution": 32, "validation_images": 1, "repeats": 1, "lambda_id": 0.0}


def test_stages_begin_with_the_network_before_and_go_on(
    load_script: Callable[[str], ModuleType],
    monkeypatch: pytest.MonkeyPatch,
    small_generator: SmallGenerator,
    small_photos: SmallPhotos,
    tmp_path: Path,
) -> None:
    """All stages, a step each, with the options that are not about size as they are."""
    script = load_script("train_default")
    monkeypatch.setattr("latentloop.training.entry.keep_freed_memory", lambda: False)
    monkeypatch.setattr(script, "DISTILLING", {"resolution": 32, "steps": 1, "batch": 1, "pool": 1, "repeats": 1})
    stages = {name: replace(one, options={**one.options, **TINY}) for name, one in script.STAGES.items()}
    monkeypatch.setattr(script, "STAGES", stages)
    generator, out = small_generator(64), tmp_path / "out"
    photo, held_out = (str(small_photos(generator, 1, folder) / "0.png") for folder in ("faces", "held-out"))
    recipe = script.Recipe((photo,), (held_out,), out, str(generator), "cpu")
    network = recipe.run()
    assert network == out / "fine" / "last.safetensors"
    assert load_embedder(network, load_generator(generator)).config.identity == "mobilefacenet"
    drawn, photos, fine = (read_options(out / name) for name in script.STAGES)
    assert (drawn.start, photos.start) == (None, str(out / "drawn" / "last.safetensors"))
    assert fine.start == str(out / "photos" / "last.safetensors")
    quick = str(out / "mobile-128" / "mobile-128.safetensors")
    assert (drawn.quick, photos.quick, fine.quick) == (quick, quick, None)
    assert (drawn.data, photos.data, fine.data) == ((), (photo,), (photo,))
    logs = [(out / name / "log.jsonl").read_text() for name in script.STAGES]
    assert recipe.run() == network
    assert [(out / name / "log.jsonl").read_text() for name in script.STAGES] == logs

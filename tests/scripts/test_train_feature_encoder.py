import json
from pathlib import Path

import pytest

import train_feature_encoder as script
from feature_encoders import CONFIG, small_mobile
from latentloop.encoders import make_embedder, save_embedder
from latentloop.generators import load_generator
from latentloop.generators.registry import save_generator
from latentloop.images import write_png
from latentloop.inversion.feature_encoder_file import read_feature_encoder
from latentloop.weights import WeightsFile
from random_networks import random_images
from small_generators import TWO_LOOKS


def test_a_run_measures_and_writes_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "keep_freed_memory", lambda: False)
    save_generator(tmp_path / "small.safetensors", small_mobile())
    generator = load_generator(tmp_path / "small.safetensors")  # its file gives it a fingerprint
    save_embedder(tmp_path / "network.safetensors", make_embedder(TWO_LOOKS, generator, seed=0))
    for i, image in enumerate(random_images(small_mobile())):
        write_png(tmp_path / "faces" / f"{i}.png", image[None])
    train = script.Train(
        photos=(str(tmp_path / "faces"),),
        held_out=(str(tmp_path / "faces"),),
        out=tmp_path / "run",
        generator=str(tmp_path / "small.safetensors"),
        embedder=str(tmp_path / "network.safetensors"),
        steps=3,
        batch=2,
        weights={"0.png": 3.0},
        config=CONFIG,
        every=2,
        side=16,
    )
    train.run()
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [0, 2, 3]
    assert log[0]["mse"] == pytest.approx(log[0]["mse_one_pass"])
    assert log[2]["mse"] != pytest.approx(log[0]["mse"])
    found = read_feature_encoder(WeightsFile(tmp_path / "run" / "features.safetensors"), generator)
    assert found.config == CONFIG

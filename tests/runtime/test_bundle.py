import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from latentloop.errors import UserError
from latentloop.runtime import load_bundle
from latentloop.runtime.arrays import Floats
from tiny_bundle import GENERATOR, NUM_WS, SIZE, W_DIM, Bundle, Tiny


def noise(*shape: int) -> Floats:
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize("count", [1, 3])
def test_the_networks_compute_what_the_files_say(tiny_bundle: Bundle, tiny: Tiny, count: int) -> None:
    networks = load_bundle(tiny_bundle(), threads=1)
    w_plus, image = noise(count, NUM_WS, W_DIM), noise(count, 3, SIZE, SIZE)
    np.testing.assert_allclose(networks.draw(w_plus), tiny.draw(w_plus), rtol=0, atol=1e-5)
    np.testing.assert_allclose(networks.embed(image), tiny.embed(image), rtol=0, atol=1e-5)
    assert networks.look_again is not None
    again = networks.look_again(image, np.zeros_like(image), w_plus)
    np.testing.assert_allclose(again, w_plus + image.mean(axis=(1, 2, 3))[:, None, None], rtol=0, atol=1e-5)
    assert networks.sample is not None
    z = noise(count, W_DIM)
    expected = 0.5 * (z @ tiny.mapping).reshape(count, NUM_WS, W_DIM)
    np.testing.assert_allclose(networks.sample(z, 0.5), expected, rtol=0, atol=1e-5)
    scores, corrections = networks.propose(noise(1, 3, 20, 30))
    assert (scores.shape, corrections.shape) == ((1, 5, 10), (1, 4, 5, 10))


def test_a_bundle_says_what_it_holds(tiny_bundle: Bundle) -> None:
    networks = load_bundle(tiny_bundle(parts=["generator", "embedder", "proposal"]))
    assert (networks.generator, networks.fingerprint) == ("tiny", GENERATOR["fingerprint"])
    assert (networks.resolution, networks.num_ws, networks.w_dim) == (SIZE, NUM_WS, W_DIM)
    assert (networks.look_again, networks.sample, networks.embed_identity) == (None, None, None)


def test_files_that_the_bundle_does_not_list_are_left_over(tiny_bundle: Bundle) -> None:
    networks = load_bundle(tiny_bundle(files={"generator.onnx": {}, "embedder.onnx": {}}))
    assert (networks.look_again, networks.sample) == (None, None)


def test_what_no_such_network_gives_is_refused(tiny_bundle: Bundle) -> None:
    larger = load_bundle(tiny_bundle("larger", generator={**GENERATOR, "resolution": 2 * SIZE}))
    with pytest.raises(UserError, match=r"generator\.onnx: returns image of shape .*, expected \(1, 3, "):
        larger.draw(noise(1, NUM_WS, W_DIM))
    with pytest.raises(UserError, match=r"generator\.onnx: returns image with numbers that are not finite"):
        load_bundle(tiny_bundle("other")).draw(np.full((1, NUM_WS, W_DIM), np.nan, np.float32))


def test_a_network_is_loaded_once_and_when_it_is_called(tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def counted(path: str, *arguments: object, **options: object) -> object:
        loaded.append(Path(path).stem)
        return load(path, *arguments, **options)

    load = onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", counted)
    networks = load_bundle(tiny_bundle(), threads=1)
    assert loaded == []
    for _ in range(2):
        networks.draw(noise(1, NUM_WS, W_DIM))
    assert loaded == ["generator"]


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not a bundle, it has no bundle\.json; latentloop export makes one"):
        load_bundle(tmp_path)
    with pytest.raises(UserError, match="missing: no such folder"):
        load_bundle(tmp_path / "missing")


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"generator": {}}, "damaged, or from another version of latentloop: resolution is missing"),
        ({"generator": {**GENERATOR, "num_ws": 10**9}}, "num_ws is 1000000000"),
        ({"generator": {**GENERATOR, "w_dim": "8"}}, "w_dim is '8'"),
        ({"generator": {**GENERATOR, "fingerprint": 8}}, "fingerprint is not a text"),
        ({"generator": []}, "damaged"),
        ({"embedder": {"resolution": -1}}, "S is -1"),
        (
            {"embedder": {"resolution": 8, "starts_at": "latent_avg"}},
            "ReStyle encoders, which take several passes, are not supported",
        ),
    ],
)
def test_damaged_descriptions_are_refused(tiny_bundle: Bundle, about: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_bundle(tiny_bundle(**about))


def test_a_bundle_without_an_embedding_network_is_refused(tiny_bundle: Bundle) -> None:
    folder = tiny_bundle()
    (folder / "bundle.json").write_text(json.dumps({"generator": GENERATOR}), encoding="utf-8")
    with pytest.raises(UserError, match="has no embedding network; export the bundle with one"):
        load_bundle(folder)


def test_a_damaged_network_is_named(tiny_bundle: Bundle) -> None:
    folder = tiny_bundle()
    (folder / "generator.onnx").write_bytes(b"no network")
    (folder / "embedder.onnx").unlink()
    networks = load_bundle(folder)
    with pytest.raises(UserError, match=r"generator\.onnx: ONNX Runtime cannot read this network"):
        networks.draw(noise(1, NUM_WS, W_DIM))
    with pytest.raises(UserError, match=r"embedder\.onnx: no such file"):
        networks.embed(noise(1, 3, SIZE, SIZE))


def test_a_network_of_other_sizes_is_named(tiny_bundle: Bundle) -> None:
    networks = load_bundle(tiny_bundle(), threads=1)
    with pytest.raises(UserError, match=r"generator\.onnx: the network cannot be run"):
        networks.draw(noise(1, NUM_WS, W_DIM + 1))

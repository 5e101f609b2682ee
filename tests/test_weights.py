import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from latentloop.errors import UserError
from latentloop.weights import (
    ReadOnce,
    WeightsFile,
    checksum,
    read_once,
    read_ours,
    read_weights,
    with_weights,
    write_ours,
)


def tensors() -> dict[str, Tensor]:
    randomness = torch.Generator().manual_seed(0)
    return {"weight": torch.randn(4, 3, generator=randomness), "bias": torch.randn(4, generator=randomness)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    save_file(tensors(), path, {"source": "here"})
    return path


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def on_meta() -> nn.Linear:
    with torch.device("meta"):
        return nn.Linear(3, 4)


@pytest.mark.parametrize("known", [True, False])
def test_tensors_and_metadata_are_read_as_they_were_saved(file: Path, known: bool) -> None:
    weights = read_weights(WeightsFile(file, sum_of(file) if known else None))
    assert weights.metadata == {"source": "here"}
    assert weights.tensors.keys() == tensors().keys()
    for name, tensor in tensors().items():
        torch.testing.assert_close(weights.tensors[name], tensor, rtol=0, atol=0)


def test_a_file_without_metadata_is_read(file: Path) -> None:
    save_file(tensors(), file)
    assert read_weights(WeightsFile(file)).metadata == {}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64])
def test_whatever_is_stored_comes_as_float32(file: Path, dtype: torch.dtype) -> None:
    save_file({"x": torch.tensor([-2.0, 0.0, 7.0], dtype=dtype)}, file)
    found = read_weights(WeightsFile(file)).tensors["x"]
    torch.testing.assert_close(found, torch.tensor([-2.0, 0.0, 7.0]), rtol=0, atol=0)


def test_a_wrong_checksum_is_told_with_both_sums(file: Path) -> None:
    message = rf"net\.safetensors: wrong or damaged, its sha256 is {sum_of(file)}, not {'0' * 64}; install it again"
    with pytest.raises(UserError, match=message):
        read_weights(WeightsFile(file, "0" * 64))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"net\.safetensors: no such weights file"):
        read_weights(WeightsFile(tmp_path / "net.safetensors"))


@pytest.mark.parametrize("kept", [0, 4, 40, -1])
def test_a_truncated_file_is_refused(file: Path, kept: int) -> None:
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(
        UserError, match=rf"net\.safetensors: not a readable safetensors file \(sha256 {sum_of(file)}\)"
    ):
        read_weights(WeightsFile(file))


def test_a_file_that_was_cut_off_says_how_much_is_missing(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-1])
    cut = rf"it was cut off after {len(content) - 1:,} of {len(content):,} bytes; copy or download it again$"
    with pytest.raises(UserError, match=cut):
        read_weights(WeightsFile(file))


def test_a_file_of_another_kind_is_refused(file: Path) -> None:
    torch.save(tensors(), file)
    with pytest.raises(UserError, match="not a readable safetensors file"):
        read_weights(WeightsFile(file))


def test_a_module_takes_its_tensors_frozen_and_in_evaluation_mode() -> None:
    module = with_weights(on_meta(), tensors())
    x = torch.ones(1, 3)
    torch.testing.assert_close(module(x), tensors()["weight"].sum(dim=1)[None] + tensors()["bias"])
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weight": torch.zeros(4, 3)}, 'Missing key(s) in state_dict: "bias"'),
        (tensors() | {"scale": torch.zeros(4)}, 'Unexpected key(s) in state_dict: "scale"'),
        (tensors() | {"bias": torch.zeros(5)}, "size mismatch for bias"),
    ],
    ids=["missing", "extra", "of another shape"],
)
def test_tensors_that_do_not_fit_the_module_are_refused(given: dict[str, Tensor], message: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(message)):
        with_weights(on_meta(), given)


class Counted:
    """Counts how often it reads."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.times


def test_outside_a_context_every_call_reads(file: Path) -> None:
    read = Counted()
    assert [read_once(file, "x", read) for _ in range(3)] == [1, 2, 3]


def test_within_contexts_a_file_is_read_once_for_each_purpose(file: Path) -> None:
    read, job = Counted(), ReadOnce()
    with job:
        assert [read_once(path, "x", read) for path in (file, file.parent / "." / file.name)] == [1, 1]
        assert read_once(file, "y", read) == 2
        with ReadOnce() as inner:
            assert read_once(file, "x", read) == 1
            assert read_once(file, "z", read) == 3
        assert read_once(file, "z", read) == 3
    assert read_once(file, "x", read) == 4
    for again in (job, inner):  # what was read stays with the object
        with again:
            assert read_once(file, "x", read) == 1
    with ReadOnce():
        assert read_once(file, "x", read) == 5


def test_a_file_that_has_changed_is_read_again(file: Path) -> None:
    with ReadOnce():
        before = read_weights(WeightsFile(file))
        assert read_weights(WeightsFile(file)) is before
        save_file({"x": torch.ones(2)}, file)
        assert read_weights(WeightsFile(file)).tensors.keys() == {"x"}
        os.utime(file, ns=(0, 0))
        assert read_weights(WeightsFile(file)) is not before


def test_what_is_kept_is_held_against_each_checksum(file: Path) -> None:
    with ReadOnce():
        assert checksum(WeightsFile(file)) == read_weights(WeightsFile(file)).sha256 == sum_of(file)
        with pytest.raises(UserError, match="wrong or damaged"):
            read_weights(WeightsFile(file, "0" * 64))


def test_an_error_leaves_the_context(file: Path) -> None:
    read = Counted()
    with pytest.raises(UserError), ReadOnce():
        raise UserError("stop")
    assert [read_once(file, "x", read) for _ in range(2)] == [1, 2]


def test_our_files_come_back_with_their_settings(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ours.safetensors"
    write_ours(path, "thing", tensors(), {"b": [1, 2], "a": None})
    ours = read_ours(WeightsFile(path), "other", "thing", what="a thing", advice="make one")
    assert (ours.kind, ours.settings, ours.sha256) == ("thing", {"b": [1, 2], "a": None}, sum_of(path))
    assert ours.tensors.keys() == tensors().keys()
    write_ours(path, "thing", tensors(), {})
    assert read_ours(WeightsFile(path), "thing", what="a thing", advice="make one").settings == {}
    assert read_weights(WeightsFile(path)).metadata == {"latentloop": "thing"}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, r"ours: not a thing \(kind: none\); make one$"),
        ({"latentloop": "other {}"}, r"ours: not a thing \(kind: other\); make one$"),
        ({"latentloop": "\u202e7 {}"}, r"ours: not a thing \(kind: unknown\); make one$"),
        ({"latentloop": "thing ["}, "ours: its settings are damaged: "),
        ({"latentloop": "thing " + "[" * 100_000}, "ours: its settings are damaged: "),
        ({"latentloop": "thing [1]"}, r"ours: its settings are damaged: \[1\]$"),
    ],
)
def test_files_of_another_kind_are_refused(tmp_path: Path, metadata: dict[str, str] | None, message: str) -> None:
    save_file(tensors(), tmp_path / "ours", metadata)
    with pytest.raises(UserError, match=message) as caught:
        read_ours(WeightsFile(tmp_path / "ours"), "thing", what="a thing", advice="make one")
    assert "\n" not in str(caught.value)


# All that loads weights for one photo, twice; each file that is opened then is told.
LOADING = """
import collections, json, sys
from pathlib import Path
import torch
from latentloop.encoders import load_embedder
from latentloop.encoders.identity import load_identity_encoder
from latentloop.faces import load_face_detector
from latentloop.features.lpips import load_lpips
from latentloop.features.mobilefacenet import load_mobilefacenet
from latentloop.generators import load_generator, load_renderer, low_precision, registry
from latentloop.weights import ASSETS, ReadOnce, WeightsFile, checksum, read_weights

def sums():
    files = [WeightsFile(path) for path in sorted(ASSETS.glob("*.safetensors"))]
    return [float(sum(t.double().sum() for t in read_weights(file).tensors.values())) for file in files]

opened = collections.Counter()
sys.addaudithook(lambda event, args: opened.update([args[0]]) if event == "open" else None)
with ReadOnce():
    kept = sums()
    for _ in range(2):
        quick = load_generator("mobile-ffhq-256")
        large = load_renderer(quick)
        registry.weights_checksum("mobile-ffhq-256")
        load_embedder("base-ffhq", quick)
        load_lpips(dtype=torch.bfloat16)
        load_lpips()
        load_face_detector()
        load_mobilefacenet()
        learning = load_identity_encoder(frozen=False)
        low_precision(large, torch.bfloat16).synthesis(quick.latent_avg.expand(1, 16, 512), resolution=256)
        with torch.no_grad():
            for parameter in learning.parameters():
                parameter += 1
    assert sums() == kept, "what is kept was changed"
times = {Path(path).name: n for path, n in opened.items() if isinstance(path, str) and path.endswith(".safetensors")}
print(json.dumps(times))
"""


def test_one_job_opens_each_weights_file_once_and_leaves_it_as_it_was() -> None:
    result = subprocess.run([sys.executable, "-c", LOADING], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    times = json.loads(result.stdout)
    assert times.keys() > {"mobile-ffhq-256.safetensors", "mobile-ffhq-1024-v2.safetensors", "lpips-alex.safetensors"}
    assert set(times.values()) == {1}

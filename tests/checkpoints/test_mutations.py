"""Damaged files end in a clean error or are still read: no crash, no execution, little memory, soon."""

import resource
import sys
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from latentloop.errors import UserError
from latentloop.generators import load_generator

TENSORS = {
    "synthesis.b4.const": torch.ones(2, 4, 4),
    "synthesis.b4.conv1.affine.weight": torch.ones(2, 3),
    "mapping.fc0.weight": torch.ones(3, 3),
    "mapping.fc0.bias": torch.ones(3),
    "mapping.w_avg": torch.ones(3),
}
VARIABLES = {"dlatent_avg": torch.ones(3), "synthesis/4x4/Conv/mod_weight": torch.ones(2, 3)}
EXAMPLES = 250
"""Of each of the five kinds."""
MEBIBYTE = 2**20
OPCODES = st.sampled_from(
    sorted(set(b"().012FIJKLMNPQRSTUVXZ]abcdeghijlopqrstu}\x80\x81\x85\x8c\x8e\x90\x91\x93\x94\x95"))
)

flips = st.tuples(st.integers(0, 10**6), st.integers(0, 255))
swaps = st.tuples(st.integers(0, 10**6), OPCODES)


def torch_file(*, zipped: bool) -> bytes:
    stream = BytesIO()
    torch.save({"g_ema": TENSORS, "d": {}}, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


@pytest.fixture(params=["nvidia", "tensorflow", "zip", "old", "safetensors"])
def whole(request: pytest.FixtureRequest) -> bytes:
    """A file of each kind."""
    if request.param == "nvidia":
        path: Path = request.getfixturevalue("write_nvidia")(TENSORS, {"z_dim": 3, "synthesis_kwargs": {}})
    elif request.param == "tensorflow":
        path = request.getfixturevalue("write_tensorflow")(VARIABLES, {})
    elif request.param == "safetensors":
        return save(TENSORS, {"latentloop": 'stylegan2 {"clamp": 256}'})
    else:
        return torch_file(zipped=request.param == "zip")
    return path.read_bytes()


def test_damaged_files_are_read_or_refused(whole: bytes, tmp_path: Path) -> None:
    path, before = tmp_path / "damaged", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=timedelta(seconds=5),
        suppress_health_check=list(HealthCheck),
    )
    @given(edits=st.lists(flips | swaps, max_size=4), cut=st.none() | st.integers(1, 10**6))
    def damage(edits: list[tuple[int, int]], cut: int | None) -> None:
        content = bytearray(whole)
        for place, byte in edits:
            content[place % len(content)] = byte
        path.write_bytes(content[: cut and cut % len(content)])
        try:
            load_generator(path)
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017 - that it is raised is not certain

    damage()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * (1 if sys.platform == "darwin" else 1024) < 200 * MEBIBYTE

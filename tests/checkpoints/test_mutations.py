"""Damaged files end in a clean error or are still read: no crash, no execution, little memory, soon."""

import os
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from foreign_files import MARK, WholeModule
from latentloop.encoders import load_encoder
from latentloop.errors import UserError
from latentloop.generators import Generator, load_generator, stylegan2, stylegan3
from latentloop.generators.stylegan3 import StyleGAN3
from latentloop.latents import mean_code
from latentloop.latents.foreign_files import read_latents
from psp_checkpoints import LAST, checkpoint
from stylegan1_tensors import variables
from stylegan2_tensors import genforce, nvidia, random_stylegan2, rosinality, tensorflow
from stylegan3_tensors import nvidia_tensors

EXAMPLES = 300
"""Of each kind."""
MEBIBYTE = 2**20
OPCODES = st.sampled_from(
    sorted(set(b"().012FIJKLMNPQRSTUVXZ]abcdeghijlopqrstu}\x80\x81\x85\x8c\x8e\x90\x91\x93\x94\x95"))
)
flips = st.tuples(st.integers(0, 10**6), st.integers(0, 255))
swaps = st.tuples(st.integers(0, 10**6), OPCODES)
Write = Callable[..., Path]


class Evil:
    """Leaves a mark when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (MARK,)


STYLEGAN2 = random_stylegan2(stylegan2.Shape(mapping=(3, 3, 3), channels=(2, 2)))
STYLEGAN2_TENSORS = nvidia(STYLEGAN2)
STYLEGAN3 = StyleGAN3(stylegan3.Shape(mapping=(3, 3), channels=(2, 2, 2), resolution=16), name="", fingerprint="")
FILES: dict[str, Callable[[Path], object]] = {
    "rosinality": lambda path: torch.save(
        {"g_ema": rosinality(STYLEGAN2_TENSORS), "latent_avg": STYLEGAN2.latent_avg}, path
    ),
    "genforce": lambda path: torch.save({"generator_smooth": genforce(STYLEGAN2_TENSORS)}, path),
    "old": lambda path: torch.save(nvidia_tensors(STYLEGAN3), path, _use_new_zipfile_serialization=False),
    "module": lambda path: torch.save(WholeModule(rosinality(STYLEGAN2_TENSORS)), path),
    "safetensors": lambda path: save_file(STYLEGAN2_TENSORS, path),
    "ours": lambda path: save_file(dict(STYLEGAN2.state_dict()), path, {"latentloop": 'stylegan2 {"clamp": 256}'}),
}


@pytest.fixture(params=[*FILES, "stylegan2", "stylegan3", "tensorflow 1", "tensorflow 2", "encoder", "codes", "npz"])
def reader(
    request: pytest.FixtureRequest, tmp_path: Path, write_nvidia: Write, write_tensorflow: Write, float_toy: Generator
) -> tuple[Path, Callable[[Path], object]]:
    """A whole file of each kind, and what reads it."""
    kind, path = request.param, tmp_path / "file"
    if kind in FILES:
        FILES[kind](path)
    elif kind == "encoder":
        content = {"state_dict": checkpoint(LAST[0], num_ws=4), "opts": {"encoder_type": LAST[0]}}
        torch.save(content | {"latent_avg": mean_code(float_toy)[0]}, path)
        return path, lambda path: load_encoder(path, float_toy)
    elif kind in ("codes", "npz"):
        codes = np.zeros((2, 4, 8), np.float32)
        with path.open("wb") as file:
            if kind == "npz":
                np.savez_compressed(file, w=codes)
            else:
                named: Any = {"a": list(codes), "b": list(codes)}
                np.save(file, named, allow_pickle=True)
        return path, lambda path: read_latents(path, float_toy)
    elif kind == "stylegan2":
        path = write_nvidia(STYLEGAN2_TENSORS, {"synthesis_kwargs": {}}, layers={"conv_clamp": 256})
    elif kind == "stylegan3":
        path = write_nvidia(nvidia_tensors(STYLEGAN3), {"img_resolution": 16})
    elif kind == "tensorflow 1":
        path = write_tensorflow({n: torch.tensor(v) for n, v in variables((3, 2)).items()}, {"resolution": 8})
    else:
        path = write_tensorflow(tensorflow(STYLEGAN2_TENSORS), {"resolution": 8})
    return path, load_generator


def test_damaged_files_are_read_or_refused(reader: tuple[Path, Callable[[Path], object]], tmp_path: Path) -> None:
    path, read = reader
    whole, damaged = path.read_bytes(), tmp_path / "damaged"
    read(path)
    before = _reset_peak()

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
        damaged.write_bytes(content[: cut and cut % len(content)])
        try:
            read(damaged)
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017 - that it is raised is not certain

    damage()
    assert not (tmp_path / MARK).exists()
    assert _peak() - before < 200 * MEBIBYTE


@pytest.mark.usefixtures("as_published")
def test_what_would_run_does_not(tmp_path: Path) -> None:
    torch.save({"g_ema": STYLEGAN2_TENSORS, "args": Evil()}, tmp_path / "file.pt")
    with pytest.raises(UserError, match=r"file\.pt: refused, it asks for the global (posix|nt)\.mkdir; a checkpoint"):
        load_generator(tmp_path / "file.pt")


def _reset_peak() -> int:
    """Forget the process's largest memory so far, where the system can; what it takes now, in bytes."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> int:
    if sys.platform != "linux":
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0

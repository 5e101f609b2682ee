import pickle
from pathlib import Path

import pytest
import torch

from latentloop.errors import UserError
from latentloop.training.checkpoint import load_checkpoint, save_checkpoint

CONFIG = {"steps": 8, "lr": 0.1}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, kind="distillation", config=CONFIG, state={"step": 3, "tensor": torch.arange(3)})
    return path


def test_a_state_comes_back(saved: Path) -> None:
    state = load_checkpoint(saved, kind="distillation", config=CONFIG)
    assert state["step"] == 3
    assert torch.equal(state["tensor"], torch.arange(3))


def test_other_settings_are_named(saved: Path) -> None:
    with pytest.raises(UserError, match=r"checkpoint.pt: made with steps 8, not 9; use that, or choose another folder"):
        load_checkpoint(saved, kind="distillation", config=CONFIG | {"steps": 9})


def test_another_kind_is_refused(saved: Path) -> None:
    with pytest.raises(UserError, match=r"a checkpoint of distillation .*, not of embedding"):
        load_checkpoint(saved, kind="embedding", config=CONFIG)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("/tmp/latentloop-was-here"),))  # noqa: S108


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps({"format": 1}, 2), pickle.dumps(Evil(), 2)])
def test_what_is_no_checkpoint_is_refused_and_never_run(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"not a checkpoint of a training run, or damaged; delete it to start anew"):
        load_checkpoint(path, kind="distillation", config=CONFIG)
    assert not Path("/tmp/latentloop-was-here").exists()  # noqa: S108


def test_a_truncated_checkpoint_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(UserError, match="or damaged"):
        load_checkpoint(saved, kind="distillation", config=CONFIG)

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from latentloop.errors import UserError
from latentloop.training.checkpoint import load_checkpoint, restoring, save_checkpoint

CONFIG = {"steps": 8, "lr": 0.1}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, kind="distillation", config=CONFIG, state={"step": 3, "tensor": torch.arange(3)})
    return path


def test_a_state_comes_back(saved: Path) -> None:
    state = load_checkpoint(saved, kind="distillation", config=CONFIG)
    assert state["step"] == 3
    assert torch.equal(state["tensor"], torch.arange(3))


def test_its_name_need_not_be_utf_8(saved: Path) -> None:
    odd = saved.rename(saved.with_name(os.fsdecode(b"checkpoint\xff.safetensors")))
    assert load_checkpoint(odd, kind="distillation", config=CONFIG)["step"] == 3


def test_other_settings_are_named(saved: Path) -> None:
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: made with steps 8, not 9; use that, or"):
        load_checkpoint(saved, kind="distillation", config=CONFIG | {"steps": 9})


def test_another_kind_is_refused(saved: Path) -> None:
    with pytest.raises(UserError, match=r"a checkpoint of distillation .*, not of embedding"):
        load_checkpoint(saved, kind="embedding", config=CONFIG)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps({"format": 2})])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"not a checkpoint of a training run, or damaged; delete it"):
        load_checkpoint(path, kind="distillation", config=CONFIG)


ENTRY: dict[str, Any] = {"format": 2, "kind": "distillation", "config": CONFIG, "state": {"dict": []}}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        "text",
        {},
        ENTRY | {"config": 1},
        ENTRY | {"state": [1]},
        ENTRY | {"state": {}},
        ENTRY | {"state": {"dict": [["a", {"tensor": "5"}]]}},
        ENTRY | {"state": {"dict": [[["a"], 1]]}},
        ENTRY | {"state": {"dict": 3}},
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path: Path, entry: object) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_file({"0": torch.zeros(1)}, path, {"latentloop": json.dumps(entry)} if entry else None)
    with pytest.raises(UserError, match="or damaged"):
        load_checkpoint(path, kind="distillation", config=CONFIG)


@pytest.mark.parametrize("number", [1, 3, "2", None])
def test_another_format_is_refused(tmp_path: Path, number: object) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_file({"0": torch.zeros(1)}, path, {"latentloop": json.dumps(ENTRY | {"format": number})})
    with pytest.raises(UserError, match=rf"distillation \(format {number}\), not of distillation \(format 2\)"):
        load_checkpoint(path, kind="distillation", config=CONFIG)
    save_file({"0": torch.zeros(1)}, path, {"latentloop": json.dumps(ENTRY)})
    assert load_checkpoint(path, kind="distillation", config=CONFIG) == {}


def test_every_kind_of_state_comes_back_as_it_was(tmp_path: Path) -> None:
    path, network = tmp_path / "checkpoint.safetensors", torch.nn.Linear(3, 2)
    adam = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99))
    network(torch.ones(1, 3)).sum().backward()
    adam.step()
    plain = {"a": 0.1, "b": 2**60, "c": None, "d": True, "e": "text", "f": [1, [2.5]], "g": {3: {"x": 4}}}
    tensors = [torch.zeros(0, 2), torch.ones((), dtype=torch.half)]
    save_checkpoint(path, kind="k", config={}, state={"adam": adam.state_dict(), "plain": plain, "tensors": tensors})
    state = load_checkpoint(path, kind="k", config={})
    assert state["plain"] == plain
    assert [(t.shape, t.dtype) for t in state["tensors"]] == [(t.shape, t.dtype) for t in tensors]
    other = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99))
    other.load_state_dict(state["adam"])
    for mine, theirs in zip(other.state.values(), adam.state.values(), strict=True):
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_settings_are_compared_as_json_has_them(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, kind="k", config={"channels": (1, 2)}, state={})
    assert load_checkpoint(path, kind="k", config={"channels": (1, 2)}) == {}


def test_a_truncated_checkpoint_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(UserError, match="or damaged"):
        load_checkpoint(saved, kind="distillation", config=CONFIG)


def test_any_flipped_bit_is_noticed(saved: Path) -> None:
    whole = saved.read_bytes()
    for place in range(len(whole)):
        saved.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(UserError, match=r"checkpoint\.safetensors: ") as caught:
            load_checkpoint(saved, kind="distillation", config=CONFIG)
        assert "\n" not in str(caught.value)


def test_checkpoints_of_before_there_were_checksums_are_read(saved: Path) -> None:
    with safe_open(saved, framework="pt") as file:
        entry = json.loads(file.metadata()["latentloop"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del entry["checksum"]
    save_file(tensors, saved, {"latentloop": json.dumps(entry)})
    assert torch.equal(load_checkpoint(saved, kind="distillation", config=CONFIG)["tensor"], torch.arange(3))


def test_all_types_of_tensors_have_a_checksum(tmp_path: Path) -> None:
    state = {
        "half": torch.ones(2, dtype=torch.bfloat16),
        "none": torch.ones(0, 3),
        "one": torch.tensor(1.5),
        "turned": torch.arange(6.0).view(2, 3).T,
        "numbers": [0.1, float("inf"), 1e-300, {1: 2}],
    }
    save_checkpoint(tmp_path / "a", kind="x", config={}, state=state)
    again = load_checkpoint(tmp_path / "a", kind="x", config={})
    assert again["numbers"] == state["numbers"]
    assert torch.equal(again["turned"], torch.arange(6.0).view(2, 3).T)


def test_a_state_that_lacks_something_is_damaged(saved: Path) -> None:
    problem = r"not a checkpoint of a training run, or damaged; delete it to go on from"
    with pytest.raises(UserError, match=problem), restoring(saved):
        load_checkpoint(saved, kind="distillation", config=CONFIG)["optimizer"]


def test_a_file_that_may_not_be_read_is_not_called_damaged(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: cannot read it: Permission denied$"):
        load_checkpoint(saved, kind="distillation", config=CONFIG)

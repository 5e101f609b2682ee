"""Writes small files as other projects write theirs: stand-ins for their classes, pickled under their public names."""

import pickle
import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from torch import Tensor, nn

MARK = "executed"
SOURCE = f"import os; os.mkdir({MARK!r})"
"""What would leave a mark if anybody ran it."""
TORCH_MODULE, TENSORFLOW_MODULE = "torch_utils.persistence", "dnnlib.tflib.network"


def _reconstruct_persistent_obj(meta: object) -> None:
    """NVIDIA's would execute the source."""


class EasyDict(dict[str, Any]):
    """A dict of settings."""


class Persistent:
    """A module that carries its source."""

    def __init__(self, class_name: str, state: dict[str, Any]) -> None:
        self.meta = EasyDict(type="class", version=6, module_src=SOURCE, class_name=class_name, state=EasyDict(state))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _reconstruct_persistent_obj, (self.meta,)


class Network:
    """A TensorFlow network."""

    def __init__(self, **state: object) -> None:
        self.__dict__.update(state)


class WholeModule(nn.Module):
    """A network of a project that pickles its modules without their source."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        super().__init__()
        for name in dict.fromkeys(name.partition(".")[0] for name in tensors):
            inside = {n.partition(".")[2]: t for n, t in tensors.items() if n.partition(".")[0] == name}
            if "" in inside:
                self.register_buffer(name, inside[""])
            else:
                self.add_module(name, WholeModule(inside))


@contextmanager
def published_names() -> Iterator[None]:
    """Gives the stand-ins the names by which files call them."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for module, name, value in (
            (TORCH_MODULE, "_reconstruct_persistent_obj", _reconstruct_persistent_obj),
            ("dnnlib.util", "EasyDict", EasyDict),
            (TENSORFLOW_MODULE, "Network", Network),
        ):
            packages = [module[: match.start()] for match in re.finditer(r"\.", module)]
            for package in [*packages, module]:
                monkeypatch.setitem(sys.modules, package, made := ModuleType(package))
            setattr(made, name, value)
            monkeypatch.setattr(value, "__module__", module)
        yield


@pytest.fixture
def as_published(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Lets files be written under the names by which projects call them, and sees that nothing in one was executed."""
    monkeypatch.chdir(tmp_path)
    with published_names():
        yield
    assert not (tmp_path / MARK).exists()


@pytest.fixture
def write_nvidia(tmp_path: Path, as_published: None) -> Callable[..., Path]:  # noqa: ARG001
    """Writes a pickle of NVIDIA's PyTorch projects, from tensors by their full names."""

    def write(
        tensors: Mapping[str, Tensor],
        settings: Mapping[str, Any],
        *,
        name: str = "G_ema",
        protocol: int = 4,
        layers: Mapping[str, Any] | None = None,
    ) -> Path:
        path, module = tmp_path / "nvidia.pkl", nvidia_module(tensors, settings, layers=layers)
        path.write_bytes(nvidia_snapshot(module, name=name, protocol=protocol))
        return path

    return write


@pytest.fixture
def write_tensorflow(tmp_path: Path, as_published: None) -> Callable[..., Path]:  # noqa: ARG001
    """Writes a pickle of NVIDIA's TensorFlow projects, from variables with "mapping/" and "synthesis/" before them."""

    def write(variables: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Path:
        path = tmp_path / "tensorflow.pkl"
        path.write_bytes(tensorflow_snapshot(variables, settings))
        return path

    return write


def nvidia_snapshot(module: Persistent, *, name: str = "G_ema", protocol: int = 4) -> bytes:
    """A pickle of NVIDIA's PyTorch projects with one network."""
    content = {"G": None, "D": None, "G_ema": None, "training_set_kwargs": EasyDict(path="x"), "augment_pipe": None}
    return pickle.dumps(content | {name: module}, protocol=protocol)


def tensorflow_snapshot(variables: Mapping[str, Tensor], settings: Mapping[str, Any]) -> bytes:
    """A pickle of NVIDIA's TensorFlow projects, from variables with "mapping/" and "synthesis/" before them."""
    other = tensorflow_network({}, settings)
    return pickle.dumps((other, other, tensorflow_network(variables, settings)), protocol=4)


def tensorflow_network(variables: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Network:
    """A network of NVIDIA's TensorFlow projects and its components, from variables with theirs before the names."""

    def network(prefix: str, **components: Network) -> Network:
        found = {n.removeprefix(prefix): t for n, t in variables.items() if n.startswith(prefix)}
        own = [(n, t.numpy()) for n, t in found.items() if prefix or "/" not in n]
        return Network(
            version=4,
            name="G",
            static_kwargs=EasyDict(settings),
            components=EasyDict(components),
            build_module_src=SOURCE,
            build_func_name="G_main",
            variables=own,
        )

    return network("", mapping=network("mapping/"), synthesis=network("synthesis/"))


def nvidia_module(
    tensors: Mapping[str, Tensor], settings: Mapping[str, Any], *, layers: Mapping[str, Any] | None = None
) -> Persistent:
    """A network of NVIDIA's PyTorch projects, from tensors by their full names."""
    about = {"_init_args": (), "_init_kwargs": EasyDict(settings), "img_resolution": 8}
    return _module(tensors, about, layers or {})


def _module(tensors: Mapping[str, Tensor], more: Mapping[str, Any], layers: Mapping[str, Any]) -> Persistent:
    """A module with those of the tensors that have no dot in their name; the others are of modules within it.

    Layers with styles keep what is said of `layers`.
    """
    own = OrderedDict((name, tensor) for name, tensor in tensors.items() if "." not in name)
    children = OrderedDict.fromkeys(name.partition(".")[0] for name in tensors if "." in name)
    inside = {
        child: {name.partition(".")[2]: t for name, t in tensors.items() if name.startswith(f"{child}.")}
        for child in children
    }
    parameters = OrderedDict((name, nn.Parameter(t)) for name, t in own.items() if not name.endswith("const"))
    buffers = OrderedDict((name, t) for name, t in own.items() if name.endswith("const"))
    styled = {name: layers if any(n.startswith("affine.") for n in of) else {} for name, of in inside.items()}
    modules = OrderedDict((name, _module(of, styled[name], layers)) for name, of in inside.items())
    state = {"training": False, "_parameters": parameters, "_buffers": buffers, "_modules": modules}
    return Persistent("Any", state | {"_backward_hooks": OrderedDict(), "_unused": None} | dict(more))

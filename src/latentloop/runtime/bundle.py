"""Bundles: folders of ONNX files with a generator and all networks for editing photos with it.

| file | inputs | outputs |
|---|---|---|
| `generator.onnx` | `w_plus` (N, num_ws, w_dim) | `image` (N, 3, R, R), not clamped |
| `mapping.onnx` | `z` (N, z_dim), `truncation_psi` () | `w_plus` |
| `embedder.onnx` | `image` (N, 3, S, S) | `w_plus` |
| `second_look.onnx` | `image`, `drawn` (N, 3, S, S), `first` (N, num_ws, w_dim) | `w_plus` |
| `proposal.onnx` | `image` (N, 3, H, W) | `scores` (N, h, w), `corrections` (N, 4, h, w) |
| `refinement.onnx` | `windows` (N, 3, 24, 24) | `scores` (N,), `corrections` (N, 4) |
| `output.onnx` | `windows` (N, 3, 48, 48) | `scores`, `corrections`, `landmarks` (N, 5, 2) |
| `identity.onnx` | `face` (N, 3, 112, 112) | `embedding` (N, 128) |
| `bundle.json` | | `generator`: name, resolution, num_ws, w_dim, z_dim, fingerprint, licence; `embedder`: resolution |

The files `mapping.onnx`, `second_look.onnx` and `identity.onnx` are optional. Graphs may keep their weights in a file
beside them.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from latentloop.errors import UserError, in_one_line, shown
from latentloop.json_files import read_json
from latentloop.options import is_whole
from latentloop.runtime.arrays import Floats
from latentloop.runtime.networks import Networks
from latentloop.runtime.sessions import Session, Shape

ABOUT = "bundle.json"
"""Name of the file that describes a bundle."""
SIZES, TEXTS = ("resolution", "num_ws", "w_dim", "z_dim"), ("name", "fingerprint", "licence")
"""Properties of the generator in that file: whole numbers, and texts."""
LARGEST = 1 << 13
"""Largest allowed value of these numbers, well above any generator's."""


def load_bundle(folder: Path | str, *, threads: int | None = None) -> Networks:
    """Open a bundle; each network is loaded when it is first called.

    Args:
        folder: Folder of the bundle.
        threads: Number of threads that run a network; None for as many as there are cores.

    Raises:
        UserError: The folder is not a bundle.
    """
    about = _about(Path(folder))
    generator, functions = about["generator"], _Functions(Path(folder), about, threads)
    return Networks(
        generator=generator["name"],
        fingerprint=generator["fingerprint"],
        licence=generator["licence"],
        resolution=generator["resolution"],
        num_ws=generator["num_ws"],
        w_dim=generator["w_dim"],
        embedder_resolution=about["embedder"]["resolution"],
        propose=functions.propose,
        refine=functions.refine,
        output=functions.output,
        draw=functions.draw,
        embed=functions.embed,
        look_again=functions.look_again if functions.has("second_look") else None,
        sample=functions.sample if functions.has("mapping") and not generator.get("classes") else None,
        z_dim=generator["z_dim"],
        embed_identity=functions.embed_identity if functions.has("identity") else None,
        prepare=functions.prepare,
    )


class _Functions:
    """The networks of a bundle as functions of arrays."""

    def __init__(self, folder: Path, about: Mapping[str, Any], threads: int | None) -> None:
        self._folder, self._files, self._threads = folder, frozenset(about["files"]), threads
        generator = about["generator"]
        code: Shape = (generator["num_ws"], generator["w_dim"])
        side = generator["resolution"]
        self._proposal = self._session("proposal", scores=(None, None), corrections=(4, None, None))
        self._refinement = self._session("refinement", scores=(), corrections=(4,))
        self._output = self._session("output", scores=(), corrections=(4,), landmarks=(5, 2))
        self._generator = self._session("generator", image=(3, side, side))
        self._mapping, self._embedder = self._session("mapping", w_plus=code), self._session("embedder", w_plus=code)
        self._second = self._session("second_look", w_plus=code)
        self._identity = self._session("identity", embedding=(128,))

    def _session(self, name: str, **outputs: Shape) -> Session:
        return Session(self._folder / f"{name}.onnx", outputs, threads=self._threads)

    def has(self, name: str) -> bool:
        # By bundle.json, since an earlier export of other networks may have left more files in the folder.
        return f"{name}.onnx" in self._files

    def propose(self, image: Floats) -> tuple[Floats, Floats]:
        scores, corrections = self._proposal(image=image)
        return scores, corrections

    def refine(self, windows: Floats) -> tuple[Floats, Floats]:
        scores, corrections = self._refinement(windows=windows)
        return scores, corrections

    def output(self, windows: Floats) -> tuple[Floats, Floats, Floats]:
        scores, corrections, landmarks = self._output(windows=windows)
        return scores, corrections, landmarks

    def draw(self, w_plus: Floats) -> Floats:
        return self._generator(w_plus=w_plus)[0]

    def embed(self, image: Floats) -> Floats:
        return self._embedder(image=image)[0]

    def look_again(self, image: Floats, drawn: Floats, first: Floats) -> Floats:
        return self._second(image=image, drawn=drawn, first=first)[0]

    def sample(self, z: Floats, psi: float) -> Floats:
        return self._mapping(z=z, truncation_psi=np.array(psi, np.float32))[0]

    def embed_identity(self, face: Floats) -> Floats:
        return self._identity(face=face)[0]

    def prepare(self) -> None:
        sessions = (self._proposal, self._refinement, self._output, self._embedder, self._generator)
        Thread(target=_load, args=(sessions,)).start()  # not a daemon, so that exiting waits for it


def _about(folder: Path) -> dict[str, Any]:
    """The content of a bundle's description, checked."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; latentloop export makes a bundle", arguments="bundle")
    path = folder / ABOUT
    if not path.is_file():
        raise UserError(f"{folder}: not a bundle, it has no {ABOUT}; latentloop export makes one", arguments="bundle")
    try:
        about: dict[str, Any] = read_json(path)
        if "embedder" not in about:
            raise UserError(f"{folder}: has no embedding network; export the bundle with one", arguments="bundle")
        sizes = {name: about["generator"][name] for name in SIZES} | {"S": about["embedder"]["resolution"]}
        if wrong := [name for name, size in sizes.items() if not is_whole(size) or not 0 < size <= LARGEST]:
            raise ValueError(f"{wrong[0]} is {shown(sizes[wrong[0]])}")
        if wrong := [name for name in TEXTS if not isinstance(about["generator"][name], str)]:
            raise TypeError(f"{wrong[0]} is not a text")
        if not isinstance(about["files"], dict):
            raise TypeError(f"files are {shown(about['files'])}")
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged, or from another version of latentloop: {in_one_line(error)}") from error
    if about["embedder"].get("starts_at"):
        raise UserError(f"{folder}: ReStyle encoders, which take several passes, are not supported here")
    return about


def _load(sessions: Iterable[Session]) -> None:
    with suppress(UserError):  # raised again when the network is called
        for session in sessions:  # one by one, in the order in which they are called
            session.load()

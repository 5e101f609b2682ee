"""Writing the site: the built page, the networks, and the list of files for page and service worker."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latentloop.errors import UserError, in_one_line
from latentloop.files import PART, naming_unreadable, sha256_of, write_together
from latentloop.json_files import read_json
from latentloop.ownership import refuse_links
from latentloop.version import __version__
from latentloop.web_site.packing import pack

if TYPE_CHECKING:
    from latentloop.editing import Direction

PACKAGE = Path(__file__).parents[1]
ASSETS = PACKAGE / "assets"
PAGE = PACKAGE / "web_page"
"""Folder of the page as `make web` builds it."""
SITE, WORKER = "site.json", "service_worker.js"
"""List of files, and the service worker, which is not listed because it contains the list's checksum."""
VERSION_PLACE = b"latentloop-site-version"
"""Placeholder of the site's version in the built service worker."""
PACKS: Mapping[str, tuple[str, ...]] = {
    "detection": ("proposal", "refinement", "output"),
    "embedding": ("embedder", "second_look"),
    "drawing": ("generator", "mapping"),
}
"""Files of networks, each with the names of its graphs in the bundle."""
SIGNIFICANT_BITS = {"embedder": 8, "second_look": 8, "generator": 8, "mapping": 5}
"""Number of significant bits that large weights keep.

Networks that find and draw faces keep 8, as bfloat16 has, which changes a face by a fifth of one of 255 levels on
average; the mapping network, which only draws random faces, keeps 5; the face detector keeps all, since its landmarks
would move by a pixel."""
LEFT_OUT = ("mapping",)
"""Graphs that the page can do without: only random faces need the mapping network."""
GENERATOR_FACTS = ("name", "resolution", "num_ws", "w_dim", "z_dim", "fingerprint", "licence")
"""Entries of a bundle's description that the page needs."""


@dataclass(frozen=True)
class WrittenSite:
    """A site that was written."""

    folder: Path
    """Folder that holds the site."""
    version: str
    """Checksum of its content."""
    sizes: Mapping[str, int]
    """Size in bytes of each file, by its path in the folder."""

    def visit(self, engine: str = "wasm") -> int:
        """Count the bytes that a first visit loads with an engine, "wasm" or "webgpu"."""
        own, runtimes = f"runtime/{engine}.", "runtime/"
        return sum(n for path, n in self.sizes.items() if path.startswith(own) or not path.startswith(runtimes))


def write_site(bundle: Path, out: Path, directions: Mapping[str, "Direction"], *, page: Path = PAGE) -> WrittenSite:
    """Write the page with the networks of a bundle; the folder is complete afterwards, or unchanged.

    An earlier site in the folder is replaced. Networks missing from the bundle are replaced by bundled ones: the face
    detector, and the others for generators of the bundled latent space.

    Args:
        bundle: Folder of ONNX files with bundle.json, as `latentloop export` writes it; it must have the generator.
        out: Folder of the site.
        directions: Directions of the generator's latent space by name, which get sliders.
        page: Built page.

    Raises:
        UserError: The page is not built, a network is missing or damaged, or the folder holds something else.
    """
    earlier = check_site(out, page=page)
    facts = _facts(bundle, directions)
    files = {**_files_of(page), **_notices(), **_examples()}
    worker = files.pop(WORKER, None)
    if worker is None or VERSION_PLACE not in worker:
        raise UserError("the page's service worker is missing or damaged; run make web again")
    folders = _folders(bundle, facts["generator"]["fingerprint"])
    files |= {f"models/{name}.bin": _packed(folders, graphs) for name, graphs in PACKS.items()}
    version = _version([json.dumps(facts).encode(), worker, *_parts(files)])
    site = {"latentloop": "site", "version": version, "release": __version__, **facts, "files": _entries(files)}
    # The list is named last: its presence vouches for all files. The service worker before it makes browsers reload it.
    files |= {WORKER: worker.replace(VERSION_PLACE, version.encode()), SITE: json.dumps(site, indent=1).encode()}
    write_together({out / path: content for path, content in files.items()})
    for path in earlier - files.keys():
        (out / path).unlink(missing_ok=True)
    return WrittenSite(out, version, {path: len(content) for path, content in files.items()})


def check_site(out: Path, *, page: Path = PAGE) -> set[str]:
    """Check, before networks are exported, that a site can be written; returns the files of an earlier one.

    Raises:
        UserError: The page is not built, or the folder holds something else.
    """
    if not (page / "index.html").is_file():
        raise UserError(
            "the page is not built; run make web in a clone of the repository, which needs Node 20 or newer"
        )
    return _earlier_files(out)


def _earlier_files(out: Path) -> set[str]:
    """List the files of an earlier site in a folder; refuse a folder with anything else."""
    refuse_links(out)
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: a file, not a folder", arguments="out")
    # Links count as files, wherever they lead: a site has none.
    here = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_symlink() or not path.is_dir()}
    here = {path for path in here if not _is_part(out / path)}
    known = _listed(out / SITE) if SITE in here else {}
    for path in sorted(here):
        if path not in known or (known[path] and sha256_of(out / path) != known[path]):
            raise UserError(f"{out}: holds {path}, which no site contains; choose another folder", arguments="out")
    return here


def _listed(path: Path) -> dict[str, str]:
    """Read a site's list of files, with their checksums if the list has them; empty for other content."""
    try:
        site = read_json(path)
        if site["latentloop"] != "site":
            return {}
        return {name: str(one["sha256"]) for name, one in site["files"].items()} | {SITE: "", WORKER: ""}
    except (AttributeError, LookupError, TypeError, ValueError):
        return {}


def _is_part(path: Path) -> bool:
    return PART.fullmatch(path.name) is not None


def _facts(bundle: Path, directions: Mapping[str, "Direction"]) -> dict[str, Any]:
    """Collect what the page must know about the networks."""
    path = bundle / "bundle.json"
    try:
        with naming_unreadable(path):
            content = read_json(path)["generator"]
        generator = {name: content[name] for name in GENERATOR_FACTS}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not the description of a bundle ({in_one_line(error)})") from error
    return {"generator": generator, "directions": [_stored(one) for one in directions.values()]}


def _stored(direction: "Direction") -> dict[str, Any]:
    vector = np.asarray(direction.vector.tolist(), dtype="<f4").tobytes()
    return {
        "name": direction.name,
        "positive": direction.about.get("positive", ""),
        "layers": list(direction.layers),
        "vector": base64.b64encode(vector).decode(),
    }


def _folders(bundle: Path, fingerprint: str) -> dict[str, list[Path]]:
    """Return the folders that may contain each network, in order of preference."""
    shipped = read_json(ASSETS / "bundle.json")["generator"]["fingerprint"]
    # Both looks must come from the same network, the bundle's or ours.
    own = any((bundle / f"{name}.onnx").is_file() for name in PACKS["embedding"])
    ours = ("mapping",) if own else ("mapping", *PACKS["embedding"])
    free = (*PACKS["detection"], *(ours if fingerprint == shipped else ()))
    names = [name for graphs in PACKS.values() for name in graphs]
    return {name: [bundle, ASSETS] if name in free else [bundle] for name in names}


def _packed(folders: Mapping[str, list[Path]], names: tuple[str, ...]) -> bytes:
    graphs = {}
    for name in names:
        places = [folder / f"{name}.onnx" for folder in folders[name]]
        found = next((path for path in places if path.is_file()), None)
        if found or name not in LEFT_OUT:
            graphs[name] = found or places[0]  # a missing file: `pack` raises the error
    return pack(graphs, significant_bits=SIGNIFICANT_BITS)


def _files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): _content(path) for path in _paths_in(folder)}


def _paths_in(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _notices() -> dict[str, bytes]:
    """Collect the licences of the weights."""
    licences = {f"licenses/{path.name}": _content(path) for path in _paths_in(ASSETS / "licenses")}
    return {"NOTICE.txt": _content(ASSETS / "NOTICE.md"), **licences}


def _examples() -> dict[str, bytes]:
    """Collect the example photos, which the studio has, too."""
    folder = PACKAGE / "studio" / "examples"
    return {f"examples/{path.name}": _content(path) for path in _paths_in(folder) if path.suffix == ".jpg"}


def _content(path: Path) -> bytes:
    with naming_unreadable(path):
        return path.read_bytes()


def _entries(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    return {path: {"bytes": len(one), "sha256": hashlib.sha256(one).hexdigest()} for path, one in files.items()}


def _parts(files: Mapping[str, bytes]) -> Iterator[bytes]:
    for path, content in files.items():
        yield from (path.encode(), content)


def _version(parts: list[bytes]) -> str:
    """Compute a checksum of contents, in order."""
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return hashlib.sha256(digests).hexdigest()[:16]

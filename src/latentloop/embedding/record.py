"""Records of an embedded face, in its code file and in the summary files of a run."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from latentloop.embedding.inverter import InvertedFace, Inverter
from latentloop.embedding.outcomes import Failed, Outcome
from latentloop.embedding.result_folder import ResultFolder
from latentloop.faces import AlignedFace
from latentloop.files import sha256_of
from latentloop.latents import Code
from latentloop.stamps import Stamp


def photo_entry(path: Path) -> dict[str, Any]:
    """Describe a photo's file for the code file of its only embedded face."""
    return {"file": path.name, "sha256": sha256_of(path), "faces": None}


def record_code(
    inverter: Inverter,
    found: InvertedFace,
    face: AlignedFace,
    size: tuple[int, int],
    photo: dict[str, Any] | None,
    stamp: Stamp,
) -> Code:
    """Assemble the code file of an inverted face.

    Args:
        inverter: Inverter that found the code.
        found: Code and reconstruction.
        face: Aligned face, with its position in the photo.
        size: Width and height of the photo in pixels.
        photo: Name and checksum of the photo's file and number of its embedded faces; None without a file.
        stamp: Settings that the code depends on.
    """
    figures, first = found.reconstruction.figures, found.one_pass
    return Code(
        w_plus=found.w_plus,
        space=inverter.space,
        generator=inverter.generator.name,
        fingerprint=inverter.generator.fingerprint,
        quad=face.quad,
        original_size=size,
        losses=found.losses,
        steps=found.steps,
        refinement=found.refinement,
        details={
            **({"photo": photo} if photo else {}),
            "settings": dict(stamp),
            **asdict(figures),
            "one_pass": asdict(first.figures) if first else None,
        },
    )


def record_of(outcome: Outcome, folder: ResultFolder) -> dict[str, Any]:
    """Describe an outcome for results.json and results.jsonl; paths are relative to the folder."""
    if isinstance(outcome, Failed):
        return {"file": str(outcome.photo), "error": outcome.reason}
    files = folder.paths(outcome.name).relative_to(
        folder.path, pictures=outcome.pictures, one_pass=outcome.one_pass is not None
    )
    return {
        "file": str(outcome.photo),
        "name": outcome.name,
        **outcome.figures.as_json(),
        **({"one_pass": outcome.one_pass.as_json()} if outcome.one_pass else {}),
        **files,
    }

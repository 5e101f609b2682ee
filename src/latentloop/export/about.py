"""Metadata of exported files."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from latentloop.encoders.pretrained import Encoder, ReStyle
from latentloop.export.graph import OPSET
from latentloop.export.modules import Part
from latentloop.generators import Generator
from latentloop.generators.registry import bundled_licence
from latentloop.latents import mean_code
from latentloop.version import __version__

if TYPE_CHECKING:
    from onnx import ModelProto

UNKNOWN = "that of the checkpoint from which it was exported"
"""Licence text for weights that are not bundled."""
NETWORKS = {
    "proposal": "MIT",
    "refinement": "MIT",
    "output": "MIT",
    "identity": "Apache-2.0",
    "lpips-alex": "BSD-2-Clause, BSD-3-Clause",
}
"""Licences of the networks that do not depend on the generator."""


def about_generator(generator: Generator) -> dict[str, Any]:
    """Describe a generator in JSON values: name, sizes, latent space and mean code."""
    return {
        "name": generator.name,
        "resolution": generator.resolution,
        "num_ws": generator.num_ws,
        "w_dim": generator.w_dim,
        "z_dim": generator.z_dim,
        "classes": generator.c_dim,
        "fingerprint": generator.fingerprint,
        "licence": licence_of(generator),
        "latent_avg": mean_code(generator)[0].tolist() if generator.latent_avg.ndim == 2 else _floats(generator),
    }


def about_encoder(encoder: Encoder, name: str) -> dict[str, Any]:
    """Describe an embedding network in JSON values: its input size, and its passes if it is a ReStyle."""
    looks = {"looks": encoder.steps, "starts_at": "latent_avg"} if isinstance(encoder, ReStyle) else {}
    return {"name": name, "resolution": encoder.resolution, **looks}


def licence_of(generator: Generator) -> str:
    """Return the licence of a generator's weights, which is known for the latent space of the bundled generators."""
    return bundled_licence(generator.fingerprint) or UNKNOWN


def describe(model: "ModelProto", part: Part, about: Mapping[str, Any], *, half: bool) -> None:
    """Write part name, versions, precision and licence into a graph's metadata."""
    model.producer_name, model.producer_version = "latentloop", __version__
    entries = {
        "part": part.name,
        "latentloop": __version__,
        "opset": OPSET,
        "weights": "float16" if half else "float32",
        **({"licence": NETWORKS[part.name]} if part.name in NETWORKS else about),
    }
    for key, value in entries.items():
        model.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))


def _floats(generator: Generator) -> list[float]:
    floats: list[float] = generator.latent_avg.cpu().tolist()
    return floats

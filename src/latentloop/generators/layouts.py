"""Detection of other projects' checkpoint layouts by the names of their tensors."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from latentloop.checkpoints.network_pickles import Network
from latentloop.errors import UserError
from latentloop.generators import stylegan1_file, stylegan2_file, stylegan2_layouts, stylegan3_file

Converted = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors under our names, and the settings that do not follow from their shapes."""


@dataclass(frozen=True)
class Layout:
    """A project's naming of a generator's tensors, and its conversion to ours."""

    title: str
    """Name of the architecture and the project, for messages."""
    kind: str
    """Architecture, a key of `generator_file.BUILDERS`."""
    marker: str
    """Name of a tensor that identifies the layout."""
    convert: Callable[[Network], Converted]
    """Function that returns the tensors under our names, and the settings."""


def find_layout(network: Network) -> Layout:
    """Find the layout of a network by the names of its tensors.

    Raises:
        UserError: The layout is unknown, or known and not supported.
    """
    names = " ".join(network.tensors)
    project = PROJECTS.get(network.class_name) or next((p for pattern, p in FOREIGN if re.search(pattern, names)), None)
    if project is not None:
        raise UserError(f"of {project}, which is not supported")
    # Known but unsupported projects come first: some share tensors with a supported layout.
    layout = next((one for one in LAYOUTS if one.marker in network.tensors), None)
    if layout is None:
        known = sorted(network.tensors)
        some = ", ".join([*known[:3], *known[-2:]]) if len(known) > 5 else ", ".join(known)
        what = "a discriminator" if any(name in network.tensors for name in DISCRIMINATORS) else "tensors"
        raise UserError(f"not a generator of a supported layout, but {what} ({some or 'none'})")
    return layout


def _as_in_ada(translate: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Callable[[Network], Converted]:
    """A conversion through the names of stylegan2-ada-pytorch."""
    return lambda network: stylegan2_file.from_nvidia(translate(network.tensors), {})


# A marker is a tensor that every file of its layout has. `find_generator` has removed prefixes by then, such as pSp's
# "decoder.".
LAYOUTS = (
    Layout(
        "StyleGAN2 of NVIDIA in PyTorch",
        "stylegan2",
        "synthesis.b4.conv1.affine.weight",
        lambda network: stylegan2_file.from_nvidia(network.tensors, network.settings),
    ),
    Layout(
        "StyleGAN3 of NVIDIA",
        "stylegan3",
        "synthesis.input.freqs",
        lambda network: stylegan3_file.from_nvidia(network.tensors, network.settings),
    ),
    Layout(
        "StyleGAN2 of rosinality",
        "stylegan2",
        "conv1.conv.modulation.weight",
        _as_in_ada(stylegan2_layouts.from_rosinality),
    ),
    Layout(
        "StyleGAN2 of NVIDIA in TensorFlow",
        "stylegan2",
        "synthesis/4x4/Conv/mod_weight",
        lambda network: stylegan2_file.from_nvidia(
            *stylegan2_layouts.from_tensorflow(network.tensors, network.settings)
        ),
    ),
    Layout(
        "StyleGAN1 of NVIDIA in TensorFlow",
        "stylegan1",
        "synthesis/4x4/Const/StyleMod/weight",
        lambda network: stylegan1_file.from_tensorflow(network.tensors, network.settings),
    ),
    Layout(
        "StyleGAN2 of genforce",
        "stylegan2",
        "synthesis.early_layer.const",
        _as_in_ada(stylegan2_layouts.from_genforce),
    ),
    Layout(
        "StyleGAN1 of genforce",
        "stylegan1",
        "synthesis.layer0.const",
        lambda network: stylegan1_file.from_genforce(network.tensors, network.settings),
    ),
    Layout(
        "StyleGAN1 of InterFaceGAN",
        "stylegan1",
        "synthesis.layer0.first_layer",
        lambda network: stylegan1_file.from_genforce(network.tensors, network.settings),
    ),
)
"""Supported layouts; the first whose marker is in a file is taken."""

PROJECTS = {
    "SuperresGenerator": "StyleGAN-XL's super-resolution",
    "TriPlaneGenerator": "EG3D",
}
"""Unsupported projects by the class name of their generators, for a clear error message."""
FOREIGN = (
    (r"\bmapping\.embed_proj\.", "StyleGAN-XL with classes"),
    (r"\bprogression\.\d+\.(conv1|adain1)\.", "rosinality's StyleGAN1"),
    (r"\biwt\.ll\b", "SWAGAN"),
    (r"\bfeat_8\.\d|\bse_64\.", "FastGAN"),
    (r"\bblocks\.\d+\.to_style1\.|\bG\.initial_(block|conv)\b", "lucidrains' StyleGAN2"),
    (r"\bstyle_conv1\.modulated_conv\.", "BasicSR's StyleGAN2"),
    (r"\bmodel\.diffusion_model\.", "Stable Diffusion"),
)
"""Unsupported projects by regular expressions that their tensors' names match."""

DISCRIMINATORS = (
    "b4.out.weight",
    "final_linear.0.weight",
    "final_conv.0.weight",
    "output/Dense0/weight",
    "4x4/Dense0/weight",
)
"""Names of tensors that identify a discriminator, for a clear error message."""

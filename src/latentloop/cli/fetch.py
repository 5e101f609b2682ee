"""The command `latentloop fetch`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from latentloop.cli.console import StageProgress, say
from latentloop.cli.inputs import refuse_missing


@dataclass(frozen=True)
class Fetch:
    """Download weights that are too large to ship. But for push and hf:// addresses, nothing else uses the network.

    vgg16: the convolutions of VGG16, and LPIPS on them, the loss of many published methods. 553 MB are downloaded
    from pytorch.org and 7 kB from GitHub, and checked; 59 MB are kept, in ~/.cache/latentloop, or in the folder that
    the environment variable LATENTLOOP_CACHE names.

    The network is that of Oxford's Visual Geometry Group (arXiv:1409.1556); its weights are from torchvision, under
    BSD-3-Clause, the linear layers from LPIPS, under BSD-2-Clause. They were trained on ImageNet, which may be used for
    non-commercial research only.

    Try: latentloop fetch vgg16

    On a computer without a connection: latentloop fetch vgg16 --vgg16 vgg16-397923af.pth --linear vgg.pth
    """

    what: Annotated[Literal["vgg16"], tyro.conf.Positional]
    """Name of the weights to download."""
    vgg16: Path | None = None
    """Your copy of https://download.pytorch.org/models/vgg16-397923af.pth, in place of a download."""
    linear: Path | None = None
    """Your copy of lpips/weights/v0.1/vgg.pth of https://github.com/richzhang/PerceptualSimilarity, in place of a
    download."""
    force: bool = False
    """Fetch the weights even if they are already here."""

    def run(self) -> int:
        """Fetch the weights, and print their path."""
        refuse_missing(each=[self.vgg16, self.linear])
        from latentloop.features import fetch, vgg

        path = vgg.vgg16_path()
        if path.is_file() and not self.force:
            say(f"{path}: already here; --force downloads it again")
            return 0
        with StageProgress(in_bytes=True) as progress:
            fetch.fetch_vgg16(self.vgg16, self.linear, on_chunk=progress.show)
        say(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")
        return 0

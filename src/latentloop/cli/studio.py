"""The command `latentloop studio`."""

from dataclasses import dataclass
from typing import Annotated

from latentloop.cli.options import UNTITLED
from latentloop.studio.options import StudioOptions


@dataclass(frozen=True)
class Studio:
    """Open a page in the browser on which photos are edited with sliders.

    Drop, paste or take a photo, or choose an example or a random face. A reconstruction appears after a second or two,
    and improves while you look. Move sliders; the whole photo is redrawn when they rest. Download the photo, the face
    and the code; latentloop edit makes the same pictures from them. Needs Gradio: pip install 'latentloop[web]'.

    Everything is computed on this machine; no other computer is contacted. Photos are deleted once the page is closed.

    Edit photos: latentloop studio

    A StyleGAN of your own: latentloop studio --generator network.pkl

    For others in the same network: latentloop studio --host 0.0.0.0 --port 8000
    """

    options: Annotated[StudioOptions, UNTITLED] = StudioOptions()

    def run(self) -> int:
        """Serve the page until Ctrl-C."""
        from latentloop.cli.console import say
        from latentloop.studio.server import serve

        serve(self.options, say)
        return 0

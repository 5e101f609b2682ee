"""`latentloop morph`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.subjects import Found

SIZE = 512
ANIMATIONS = (".gif", ".mp4")


@dataclass(frozen=True)
class Morph:
    """Turn one face into the next: interpolation between two or more codes, as a GIF, an MP4 or a folder of frames.

    Two photos: latentloop morph anna.jpg bob.jpg

    Round and round: latentloop morph anna.jpg bob.jpg seed:7 --loop --ease --out round.mp4

    Pose and shape only: latentloop morph anna.jpg bob.jpg --layers coarse

    The frames for something else: latentloop morph anna.npz bob.npz --frames 120 --out frames
    """

    pictures: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO|CODE...")]
    """Two or more, in this order: photos, code files, seed:NUMBER for a random face."""
    out: Path = Path("morph.gif")
    """A .gif, an .mp4 (needs PyAV), or else a folder for the frames; the codes of
    photos go into embedded/ beside it."""
    frames: int = 30
    """From each to the next."""
    rate: int = 20
    """Frames a second."""
    layers: str = "all"
    """Which layers change: coarse, middle, fine, all, numbers such as 0-3,7; with a weight, how much of the way each
    goes: coarse=1,middle=0.5."""
    ease: bool = False
    """Slow down near each face, rather than go on at one speed."""
    loop: bool = False
    """Go on from the last to the first."""
    size: int = SIZE
    """Pixels of the frames."""
    found: Found = Found()

    def __post_init__(self) -> None:
        if not self.pictures:
            raise ValueError("name at least two photos or codes")
        if self.frames < 1 or not 1 <= self.rate <= 100 or not 16 <= self.size <= 4096:
            raise ValueError("frames must be 1 or more, rate from 1 to 100, size from 16 to 4096")
        if self.out.suffix and self.out.suffix.lower() not in ANIMATIONS:
            raise ValueError(f"out ends in .gif or .mp4, or is a folder for frames, got {self.out}")

    def run(self) -> int:
        """Morph."""
        import torch

        from latentloop.cli.console import say, track
        from latentloop.editing import layer_weights, morph
        from latentloop.errors import UserError
        from latentloop.files import refuse_overwriting
        from latentloop.generators import load_renderer
        from latentloop.photo_editing.editor import Editor
        from latentloop.photo_editing.frames import check_frames, write_frames
        from latentloop.photo_editing.subjects import expand, is_coded
        from latentloop.video.files import pyav

        arguments = expand(self.pictures)
        if len(arguments) == 1 and not is_coded(arguments[0]) and self.found.face != "all":
            raise UserError("a morph takes two faces or more; name at least two photos or codes")
        generator = self.found.load_generator()
        weights = layer_weights(self.layers, generator.num_ws)
        if self.out.suffix.lower() == ".mp4":
            pyav()
        folder = self.out.parent if self.out.suffix else self.out
        codes = torch.cat([one.w_plus for one in self.found.together(arguments, folder, generator)])
        if len(codes) < 2:
            raise UserError("a morph takes two faces or more; name at least two photos or codes")
        refuse_overwriting(self.out, map(Path, arguments), ours=True)
        between = morph(codes, self.frames, weights=weights, ease=self.ease, loop=self.loop)
        editor = Editor(load_renderer(generator))
        drawn = (editor.faces(one[None], size=self.size)[0] for one in between)
        if not self.out.suffix:
            check_frames(self.out, arguments, len(between))
        say(write_frames(self.out, track(drawn, len(between), "frames"), rate=self.rate))
        return 0

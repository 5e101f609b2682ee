"""Small video files, written with PyAV."""

import io
import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[Any]
SOUND_RATE = 44100


def pictures(count: int, height: int = 48, width: int = 64) -> list[Array]:
    """A bright spot that moves over a smooth background, each (height, width, 3) in 0..255."""
    y, x = np.mgrid[:height, :width].astype(float)
    frames = []
    for i in range(count):
        spot = np.exp(-((x - 8 - 3 * i) ** 2 + (y - 12) ** 2) / 60)
        levels = np.stack([60 + 130 * spot, 40 + 120 * y / height, 30 + 150 * x / width], axis=-1)
        frames.append(levels.round().astype(np.uint8))
    return frames


def write_clip(
    path: Path,
    frames: Sequence[Array],
    rate: Fraction = Fraction(25),
    *,
    times: Sequence[int] | None = None,
    sound: str | None = None,
    seconds: float | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    codec: str = "libx264",
    delay: float = 0,
    silence: float = 0,
) -> None:
    """Write frames, at given times in units of 1/rate, and a sine of 440 Hz.

    The pictures begin after a delay, the sine after a silence.
    """
    import av

    with av.open(str(path), "w") as file:
        video: Any = file.add_stream(codec, rate=rate, options={"crf": "12"} if codec == "libx264" else {})
        video.height, video.width, video.pix_fmt = *frames[0].shape[:2], "yuv420p"
        if rotation:
            video.set_display_rotation(rotation)
        if aspect:
            video.sample_aspect_ratio = aspect
        audio: Any = file.add_stream(sound, rate=SOUND_RATE, layout="mono") if sound else None
        for time, frame in zip(times or range(len(frames)), frames, strict=True):
            picture = av.VideoFrame.from_ndarray(frame, "rgb24")
            picture.pts = time + round(delay * rate)
            file.mux(video.encode(picture))
        file.mux(video.encode(None))
        if audio:
            samples = np.arange(round(SOUND_RATE * (seconds or float(len(frames) / rate))))
            loudness = 8000 * (samples >= silence * SOUND_RATE)
            wave = (loudness * np.sin(2 * np.pi * 440 * samples / SOUND_RATE)).astype(np.int16)
            piece = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
            piece.sample_rate, piece.pts = SOUND_RATE, 0
            file.mux(audio.encode(piece))
            file.mux(audio.encode(None))


def animation_claiming(width: int, height: int) -> bytes:
    """An animated PNG of 32 x 24 pixels whose header claims another size."""
    first, other = (Image.new("RGB", (32, 24), colour) for colour in ("red", "blue"))
    file = io.BytesIO()
    first.save(file, "PNG", save_all=True, append_images=[other])
    content = file.getvalue()
    claim = struct.pack(">II", width, height) + content[24:29]
    return content[:16] + claim + struct.pack(">I", zlib.crc32(b"IHDR" + claim)) + content[33:]

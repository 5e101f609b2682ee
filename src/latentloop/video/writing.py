"""Writing videos as H.264 in MP4."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from heapq import merge
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from torch import Tensor

from latentloop.errors import UserError
from latentloop.files import replacing
from latentloop.images import to_uint8
from latentloop.video.files import pyav, reason_of
from latentloop.video.sound import sound_of

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

BT709, LIMITED_RANGE = 1, 1
"""FFmpeg's numbers of the colour standard and value range that players expect."""


def write_video(
    path: Path | str,
    frames: Iterable[Tensor],
    rate: Fraction,
    *,
    audio_from: Path | None = None,
    crf: int = 18,
    comment: str | None = None,
) -> None:
    """Write a widely playable MP4 file (H.264, 4:2:0), atomically.

    Args:
        path: File to write.
        frames: Frames (1, 3, H, W) in [-1, 1], clamped, all of one size; consumed one by one. If the width or height is
            odd, the last column or row is repeated, since colours have half the resolution.
        rate: Frames per second.
        audio_from: Video whose audio is added, from its first frame and no longer than the frames last; it may have no
            audio.
        crf: Quality as x264's constant rate factor, from 0 (best) to 51 (worst); 18 is visually lossless.
        comment: Text to store in the file; `media_comment` reads it.

    Raises:
        UserError: PyAV is missing, the file cannot be written, or `audio_from` cannot be read.
        ValueError: There are no frames, their sizes differ, or `crf` is out of range.
    """
    if not 0 <= crf <= 51:
        raise ValueError(f"crf must be from 0 to 51, got {crf}")
    av, frames = pyav(), iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError("a video needs at least one frame")
    with (
        replacing(Path(path)) as part,
        av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as target,
    ):
        if comment is not None:
            target.metadata["comment"] = comment
        stream = _picture_stream(target, first, rate, crf)
        with sound_of(audio_from, target) as sounds:
            for packet in _interleaved(_picture_packets(stream, chain([first], frames)), sounds, rate):
                _mux(target, packet, Path(path))


def _mux(target: "OutputContainer", packet: "Packet[Any]", path: Path) -> None:
    try:
        target.mux(packet)
    except pyav().FFmpegError as error:  # for example audio whose timestamps run backwards
        raise UserError(f"{path}: FFmpeg cannot write this video ({reason_of(error)})") from error


def _picture_stream(target: "OutputContainer", first: Tensor, rate: Fraction, crf: int) -> "VideoStream":
    height, width = first.shape[-2:]
    stream = target.add_stream("libx264", rate=rate, options={"crf": str(crf)})
    stream.width, stream.height, stream.pix_fmt = width + width % 2, height + height % 2, "yuv420p"
    stream.colorspace = stream.color_primaries = stream.color_trc = BT709
    stream.color_range = LIMITED_RANGE
    return stream


def _picture_packets(stream: "VideoStream", frames: Iterable[Tensor]) -> Iterator["Packet[VideoStream]"]:
    from av.video.frame import VideoFrame

    for number, frame in enumerate(frames):
        height, width = frame.shape[-2:]
        even = F.pad(frame, (0, width % 2, 0, height % 2), mode="replicate")
        if even.shape != (1, 3, stream.height, stream.width):
            raise ValueError(f"frame {number} is {tuple(frame.shape)}, unlike the first")
        picture = VideoFrame.from_ndarray(to_uint8(even[0]), "rgb24")
        picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        picture.pts = number
        yield from stream.encode(picture)
    yield from stream.encode(None)


def _interleaved(
    pictures: Iterator["Packet[Any]"], sounds: Iterator["Packet[Any]"], rate: Fraction
) -> Iterator["Packet[Any]"]:
    """Packets in the order of their timestamps; audio ends with the pictures."""
    end = Fraction(0)
    for packet in merge(pictures, sounds, key=lambda packet: _seconds(packet.dts, packet)):
        if packet.stream.type == "video":
            end = max(end, _seconds(packet.pts, packet) + 1 / rate)
        elif _seconds(packet.dts, packet) > end:
            continue
        yield packet


def _seconds(ticks: int | None, packet: "Packet[Any]") -> Fraction:
    return (ticks or 0) * (packet.time_base or Fraction(0))

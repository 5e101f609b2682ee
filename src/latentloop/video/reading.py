"""Reading videos as upright frames at a constant rate."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from latentloop.defaults import MAX_PIXELS
from latentloop.errors import UserError
from latentloop.images import check_sides, from_uint8
from latentloop.video.files import open_media, reporting_damage

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.filter import Graph
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

STILL_RATE = Fraction(25)
"""Frames per second of files without a rate, such as images."""
UNNAMED, HD_HEIGHT = 2, 720
"""FFmpeg's number of an unspecified colour standard, and the frame height from which players assume BT.709 for it."""
ACCURATE = "bicubic+accurate_rnd+full_chroma_int"
"""FFmpeg's flags for exact colour conversion; by default, colours are more than a level too dark."""
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}
"""FFmpeg's numbers of the transfer functions of HDR video (ITU-R BT.2100), and their names."""
TO_SDR = "out_primaries=bt709:out_transfer=bt709:intent=perceptual"
"""FFmpeg's options that tone-map HDR video to SDR."""
TURNS = {90: (("transpose", "cclock"),), 180: (("hflip", ""), ("vflip", "")), 270: (("transpose", "clock"),)}
"""FFmpeg's filters that rotate a frame counterclockwise, by degrees."""


@dataclass(frozen=True)
class Video:
    """A video file and its properties; the frames are decoded on demand."""

    path: Path
    """Path of the video file."""
    width: int
    """Width of the upright frames, in square pixels."""
    height: int
    """Height of the upright frames, in square pixels."""
    rate: Fraction
    """Constant frame rate, in frames per second."""
    frame_count: int
    """Number of frames according to the file's header or duration; may be off by a few."""
    rotation: int
    """Counterclockwise rotation, in degrees, that brings the stored frames upright: 0, 90, 180 or 270."""
    has_audio: bool
    """True if the file has an audio track."""
    max_pixels: int = MAX_PIXELS
    """Largest number of pixels of a frame; larger frames count as damage."""

    def frames(self) -> Iterator[Tensor]:
        """Decode the upright frames, each (1, 3, H, W) in [-1, 1]; every call starts at the first frame.

        Frames come at the constant `rate`: if the file's are unevenly spaced, some are repeated or dropped. HDR video
        (PQ, HLG) is tone-mapped to SDR, which takes some seconds to prepare.

        Raises:
            UserError: The file is damaged, or is HDR video that this FFmpeg cannot map.
        """
        with open_media(self.path) as container, reporting_damage(self.path):
            stream = _picture_stream(container, self.path, self.max_pixels)
            for frame in _converted(stream, container.decode(stream)):
                yield from_uint8(frame.to_ndarray().astype("uint8", copy=False))


def read_video(path: Path | str, *, max_pixels: int = MAX_PIXELS) -> Video:
    """Open a video file and read its properties; an image counts as a video of one frame.

    Args:
        path: Video file.
        max_pixels: Largest number of pixels of a frame; a small file can claim huge frames.

    Raises:
        UserError: PyAV or the file is missing, or the file is not a video, has only sound, is damaged, or has frames
            larger than `max_pixels`.
    """
    path = Path(path)
    with open_media(path) as container, reporting_damage(path):
        stream = _picture_stream(container, path, max_pixels)
        first = next(container.decode(stream), None)
        # The filters may drop a frame whose timestamp is damaged.
        upright = next(_converted(stream, iter([first]), colours=False), None) if first else None
        if first is None or upright is None:
            raise UserError(f"{path}: no frame of this video can be read; is it damaged?")
        return Video(
            path,
            upright.width,
            upright.height,
            rate=_rate(stream),
            frame_count=_frame_count(container, stream),
            rotation=first.rotation % 360,
            has_audio=bool(container.streams.audio),
            max_pixels=max_pixels,
        )


def _picture_stream(container: "InputContainer", path: Path, max_pixels: int) -> "VideoStream":
    from av.stream import Disposition
    from av.video.stream import VideoStream

    stream = container.streams.best("video")
    # FFmpeg presents the cover picture of an audio file as a video stream.
    if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
        raise UserError(f"{path}: no pictures in this file, only sound")
    if stream.codec_context is None:
        raise UserError(f"{path}: this FFmpeg cannot decode its pictures; is it damaged?")
    check_sides(str(path), stream.width, stream.height)
    # Non-square pixels are stretched to square ones, of which there are more.
    stretch = max(stream.sample_aspect_ratio or 1, 1)
    if stream.width * stream.height * stretch > max_pixels:
        raise UserError(f"{path}: frames of more than {max_pixels:,} pixels", arguments="max_pixels")
    stream.codec_context.options = {"max_pixels": str(max_pixels)}  # for frames that grow within the stream
    stream.thread_type = "AUTO"
    return stream


def _rate(stream: "VideoStream") -> Fraction:
    return stream.average_rate or stream.guessed_rate or STILL_RATE


def _frame_count(container: "InputContainer", stream: "VideoStream") -> int:
    if stream.frames:
        return stream.frames
    if stream.duration and stream.time_base:
        seconds = stream.duration * stream.time_base
    else:
        seconds = Fraction(container.duration or 0, 1_000_000)  # the container's duration is in microseconds
    return max(round(seconds * _rate(stream)), 1)


def _converted(
    stream: "VideoStream", frames: Iterator["VideoFrame"], *, colours: bool = True
) -> Iterator["VideoFrame"]:
    """Frames as upright RGB at a constant rate; without `colours` HDR is not tone-mapped, which is quicker."""
    first = next(frames, None)
    if first is None:
        return
    graph = _graph(stream, first, hdr=HDR_TRANSFERS.get(first.color_trc) if colours else None)
    for frame in chain([first], frames, [None]):
        graph.vpush(frame)
        yield from _ready(graph)


def _graph(stream: "VideoStream", first: "VideoFrame", hdr: str | None) -> "Graph":
    """FFmpeg's filter graph for a stream that begins with the frame `first`."""
    from av.error import FFmpegError
    from av.filter import Graph

    matrix = "bt709" if stream.colorspace == UNNAMED and first.height >= HD_HEIGHT else "auto"
    to_sdr = f":{TO_SDR}" if hdr else ""
    filters = [
        ("fps", str(_rate(stream))),
        ("scale", f"iw*{stream.sample_aspect_ratio or 1}:ih:in_color_matrix={matrix}:flags={ACCURATE}{to_sdr}"),
        *TURNS.get(first.rotation % 360, ()),
        ("format", "rgb24"),
        ("buffersink", ""),
    ]
    graph = Graph()
    try:
        nodes = [graph.add(name, options) for name, options in filters]
    except FFmpegError as error:
        if not hdr:
            raise
        problem = f"this FFmpeg cannot map HDR video ({hdr}); update PyAV, or save the video as SDR"
        raise UserError(f"{stream.container.name}: {problem}") from error
    graph.link_nodes(graph.add_buffer(template=stream), *nodes)
    graph.configure()
    return graph


def _ready(graph: "Graph") -> Iterator["VideoFrame"]:
    """The frames that the filter graph has finished."""
    while True:
        try:
            frame = graph.vpull()
        except (BlockingIOError, EOFError):
            return
        yield frame

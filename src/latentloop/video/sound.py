"""Copying the audio of a video to another one with the same timing."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from latentloop.video.files import open_media, pyav, reporting_damage

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

KEPT = frozenset({"aac", "ac3", "alac", "eac3", "mp3", "opus"})
"""Audio codecs that players expect in an MP4 file; audio in others is encoded as AAC."""
SAMPLE_RATE = 48000
"""Sampling rate in Hz if AAC does not support the source's."""


@contextmanager
def sound_of(source: Path | None, target: "OutputContainer") -> Iterator[Iterator["Packet[AudioStream]"]]:
    """Add the audio of a file to an MP4 file that is being written, and yield its packets in order.

    Time 0 is the source's first frame. Packets of the codecs in `KEPT` are copied; other audio is encoded as AAC, mono
    or stereo. A source without audio yields no packets.

    Args:
        source: Video whose audio is added; None for no audio.
        target: Open MP4 file.

    Raises:
        UserError: The source is missing or damaged.
    """
    if source is None:
        yield iter(())
        return
    with open_media(source) as container:
        stream = container.streams.audio[0] if container.streams.audio else None
        yield _packets(container, stream, target, source) if stream else iter(())


def _packets(
    container: "InputContainer", stream: "AudioStream", target: "OutputContainer", source: Path
) -> Iterator["Packet[AudioStream]"]:
    start = _start_of_pictures(container)
    if stream.codec.canonical_name in KEPT:
        packets = _copied(container, stream, target.add_stream_from_template(stream), start)
    else:
        rates = pyav().Codec("aac", "w").audio_rates or []
        rate = stream.rate if stream.rate in rates else SAMPLE_RATE
        layout = "mono" if stream.channels == 1 else "stereo"
        packets = _encoded(container, stream, target.add_stream("aac", rate=rate, layout=layout), start)
    return _reporting_damage(packets, source)


def _reporting_damage(packets: Iterator["Packet[AudioStream]"], source: Path) -> Iterator["Packet[AudioStream]"]:
    with reporting_damage(source):
        yield from packets


def _start_of_pictures(container: "InputContainer") -> Fraction:
    stream = container.streams.best("video")
    if stream is None or stream.start_time is None or stream.time_base is None:
        return Fraction(0)
    return stream.start_time * stream.time_base


def _copied(
    container: "InputContainer", stream: "AudioStream", copy: "AudioStream", start: Fraction
) -> Iterator["Packet[AudioStream]"]:
    for packet in container.demux(stream):
        # The last packet of a demuxer is empty, and only serves to flush decoders.
        if packet.dts is None or packet.pts is None or packet.time_base is None:
            continue
        shift = round(start / packet.time_base)
        packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
        yield packet


def _encoded(
    container: "InputContainer", stream: "AudioStream", encoder: "AudioStream", start: Fraction
) -> Iterator["Packet[AudioStream]"]:
    for frame in container.decode(stream):
        if frame.pts is not None and frame.time_base is not None:
            frame.pts -= round(start / frame.time_base)
        yield from encoder.encode(frame)
    yield from encoder.encode(None)

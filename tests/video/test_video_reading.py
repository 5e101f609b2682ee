import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from clips import animation_claiming, pictures, write_clip
from latentloop.errors import UserError
from latentloop.images import to_uint8
from latentloop.video import Video, read_video, reading

pytest.importorskip("av")
Array = npt.NDArray[Any]


def pixels(video: Video) -> list[Array]:
    return [to_uint8(frame[0]).astype(float) for frame in video.frames()]


def assert_alike(found: list[Array], expected: list[Array], levels: float = 2.5) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).mean() < levels


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_clip(path, pictures(12), sound="aac")
    return path


def test_a_video_is_described(clip: Path) -> None:
    video = read_video(str(clip))
    assert video == Video(clip, 64, 48, rate=Fraction(25), frame_count=12, rotation=0, has_audio=True)


def test_frames_come_in_order_as_often_as_asked(clip: Path) -> None:
    video = read_video(clip)
    for _ in range(2):
        assert_alike(pixels(video), pictures(12))
    frame = next(video.frames())
    assert frame.shape == (1, 3, 48, 64)
    assert frame.abs().max() <= 1


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(60), Fraction(24000, 1001), Fraction(10)])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "webm", "avi"])
def test_every_frame_of_a_steady_video_comes_once(tmp_path: Path, rate: Fraction, ending: str) -> None:
    path = tmp_path / f"clip.{ending}"
    write_clip(path, pictures(40), rate, codec="libvpx" if ending == "webm" else "libx264")
    video = read_video(path)
    assert float(video.rate) == pytest.approx(float(rate), rel=0.002)
    assert abs(video.frame_count - 40) <= 1
    assert not video.has_audio
    assert_alike(pixels(video), pictures(40), levels=5)


def test_unevenly_spaced_frames_are_brought_to_a_constant_rate(tmp_path: Path) -> None:
    path, frames = tmp_path / "clip.mp4", pictures(9)
    # In units of 1/40 s: two steps of 1/20 s missing, the mean rate is 9 / (11/20) or about 16.4 a second.
    write_clip(path, frames, Fraction(40), times=[0, 2, 4, 6, 12, 14, 16, 18, 20])
    video = read_video(path)
    found = pixels(video)
    assert len(found) / float(video.rate) == pytest.approx(22 / 40, abs=1.5 / float(video.rate))
    for number, picture in enumerate(found):
        nearest = [np.abs(picture - frame).mean() for frame in frames]
        shown = [0, 2, 4, 6, 12, 14, 16, 18, 20][int(np.argmin(nearest))]
        assert -2.5 <= number * 40 / float(video.rate) - shown <= 8.5


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (180, 2), (-90, 3), (270, 3)])
def test_a_turned_video_stands_upright(tmp_path: Path, rotation: int, turns: int) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, pictures(3), rotation=rotation)
    video = read_video(path)
    assert (video.width, video.height) == ((48, 64) if turns % 2 else (64, 48))
    assert video.rotation == 90 * turns
    # NumPy turns counterclockwise, as FFmpeg's angle counts.
    assert_alike(pixels(video), [np.rot90(frame, turns) for frame in pictures(3)])


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_clip(path, pictures(3), aspect=Fraction(3, 2))
    video = read_video(path)
    assert (video.width, video.height) == (96, 48)
    wide = [np.array(Image.fromarray(frame).resize((96, 48), Image.Resampling.BICUBIC)) for frame in pictures(3)]
    assert_alike(pixels(video), wide)


def test_colours_of_an_hd_video_without_a_standard_are_bt709(tmp_path: Path) -> None:
    import av

    path = tmp_path / "clip.mp4"
    levels = np.array([100, 90, 170], dtype=np.uint8)  # Y, Cb, Cr
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        planes = [np.full((720, 1280), levels[0]), np.full((180, 1280), levels[1]), np.full((180, 1280), levels[2])]
        picture = av.VideoFrame.from_ndarray(np.concatenate(planes), "yuv420p")
        file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    y, cb, cr = (levels - [16, 128, 128.0]) / [219, 224, 224]
    red, blue = y + 2 * (1 - 0.2126) * cr, y + 2 * (1 - 0.0722) * cb
    expected = [255 * red, 255 * (y - 0.2126 * red - 0.0722 * blue) / 0.7152, 255 * blue]
    np.testing.assert_allclose(pixels(read_video(path))[0].mean(axis=(0, 1)), expected, atol=0.6)


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_picture_is_a_video_of_one_frame(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"picture.{ending}"
    Image.fromarray(pictures(1)[0]).save(path)
    video = read_video(path)
    assert (video.width, video.height, video.frame_count) == (64, 48, 1)
    assert_alike(pixels(video), pictures(1), levels=4)


def test_an_animation_is_a_video(tmp_path: Path) -> None:
    path = tmp_path / "moving.gif"
    first, *others = (Image.fromarray(frame) for frame in pictures(6))
    first.save(path, save_all=True, append_images=others, duration=100)
    assert read_video(path).rate == 10
    assert_alike(pixels(read_video(path)), pictures(6), levels=4)


def test_a_video_of_one_frame_is_one_too(tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", pictures(1))
    assert_alike(pixels(read_video(tmp_path / "clip.mp4")), pictures(1))


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "diary.mp4"
    text.write_text("Dear diary, today I filmed a face.")
    with pytest.raises(UserError, match=r"diary\.mp4: not a video that FFmpeg can read \(.+\)$"):
        read_video(text)
    with pytest.raises(UserError, match=r"absent\.mp4: no such file$"):
        read_video(tmp_path / "absent.mp4")
    with pytest.raises(UserError, match=r"a folder, not a video$"):
        read_video(tmp_path)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    import av

    path = tmp_path / "song.m4a"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=44100, layout="mono")
        piece = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
        piece.sample_rate = 44100
        file.mux(stream.encode(piece))
        file.mux(stream.encode(None))
    with pytest.raises(UserError, match=r"song\.m4a: no pictures in this file, only sound"):
        read_video(path)


@pytest.mark.parametrize("kept", [0, 0.3, 0.6])
def test_a_file_that_breaks_off_is_refused(clip: Path, kept: float) -> None:
    content = clip.read_bytes()
    clip.write_bytes(content[: int(kept * len(content))])  # its index stands at the end
    with pytest.raises(UserError, match=r"clip\.mp4: not a video that FFmpeg can read"):
        read_video(clip)


def test_a_corrupted_video_is_read_or_refused_but_never_crashes(clip: Path) -> None:
    content, randomness = clip.read_bytes(), np.random.default_rng(0)
    said = []
    for _ in range(60):
        damaged = bytearray(content)
        start = int(randomness.integers(len(content)))
        damaged[start : start + 40] = randomness.bytes(min(40, len(content) - start))
        clip.write_bytes(damaged)
        try:
            for frame in read_video(clip).frames():
                assert frame.abs().max() <= 1
        except UserError as error:
            said.append(str(error))
    assert len(said) > 2
    assert all(message.startswith(f"{clip}: ") and "\n" not in message for message in said)


def test_without_pyav_one_is_told_how_to_get_it(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"videos need PyAV: pip install av"):
        read_video(clip)


def test_frames_of_too_many_pixels_are_refused(clip: Path, tmp_path: Path) -> None:
    frame = read_video(clip)
    assert read_video(clip, max_pixels=frame.width * frame.height)
    with pytest.raises(UserError, match=r": frames of more than 100 pixels$") as caught:
        read_video(clip, max_pixels=100)
    assert caught.value.arguments == ("max_pixels",)
    write_clip(tmp_path / "stretched.mp4", pictures(2), aspect=Fraction(16))
    with pytest.raises(UserError, match="frames of more than 40,000 pixels"):
        read_video(tmp_path / "stretched.mp4", max_pixels=40_000)


def pq(nits: Array) -> Array:
    """Signal of PQ for luminances (SMPTE ST 2084)."""
    power = (np.asarray(nits) / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def hlg(nits: Array) -> Array:
    """Signal of HLG for colours (C, 3) in linear BT.2020 on a display of 1,000 nits (ITU-R BT.2100)."""
    luminance = (nits @ [0.2627, 0.678, 0.0593])[:, None] / 1_000
    light = nits / 1_000 * np.maximum(luminance, 1e-9) ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
    return np.where(light <= 1 / 12, np.sqrt(3 * light), bright)


def write_hdr(path: Path, signal: Array, transfer: int) -> None:
    """Write two frames of columns, (C, 3) in 0..1, with the primaries of BT.2020 in 10 bits."""
    import av

    picture = np.repeat(np.repeat((signal * 65535).round().astype(np.uint16)[None], 64, 0), 32, 1)
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=10, options={"crf": "4"})
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, transfer, 9, 1
        for time in range(2):
            frame: Any = av.VideoFrame.from_ndarray(picture, "rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
            frame.pts, frame.color_primaries, frame.color_trc = time, 9, transfer
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


TO_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""From the primaries of BT.709, linear (ITU-R BT.2087)."""


@pytest.mark.parametrize(("transfer", "signal_of"), [(16, pq), (18, hlg)])
def test_hdr_is_mapped_to_the_brightness_and_colours_of_other_videos(
    tmp_path: Path, transfer: int, signal_of: Callable[[Array], Array]
) -> None:
    skin = np.array([110.0, 62.0, 45.0])  # nits of red, green and blue
    greys = np.array([0, 10, 50, 203, 600])[:, None].repeat(3, 1)
    write_hdr(tmp_path / "hdr.mp4", signal_of(np.vstack([greys, TO_BT2020 @ skin])), transfer)
    video = read_video(tmp_path / "hdr.mp4")
    columns = pixels(video)[1][32, 16::32]
    levels = columns[:5].mean(axis=1)
    assert np.ptp(columns[:5], axis=1).max() <= 3
    assert levels[0] <= 2
    assert 130 <= levels[3] <= 235  # HDR's reference white (ITU-R BT.2408)
    assert levels[4] < 253
    assert np.diff(levels).min() > 12
    light = (columns[5] / 255) ** 2.4
    assert np.abs(light[1:] / light[0] - skin[1:] / skin[0]).max() < 0.12


def test_an_ffmpeg_that_cannot_map_hdr_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "TO_SDR", "no_such_option=1")
    write_hdr(tmp_path / "hdr.mp4", np.full((2, 3), 0.5), 16)
    with pytest.raises(UserError, match=r"hdr.mp4: this FFmpeg cannot map HDR video \(PQ\); update PyAV, or"):
        next(read_video(tmp_path / "hdr.mp4").frames())


def test_what_ffmpeg_does_not_have_is_said_without_its_number(tmp_path: Path) -> None:
    path = tmp_path / "corner.png"
    path.write_bytes(animation_claiming(300, 300))
    message = r"corner.png: damaged or truncated video \(it uses a feature that FFmpeg does not have\)$"
    with pytest.raises(UserError, match=message):
        read_video(path)


def test_sides_that_no_video_has_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (65_536, 1)).save(tmp_path / "long.png")
    with pytest.raises(UserError, match="65,536 x 1 pixels; up to 65,535 along a side are read"):
        read_video(tmp_path / "long.png")


def test_a_video_whose_only_frame_is_left_out_is_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_converted", lambda *_, **__: iter(()))
    with pytest.raises(UserError, match="no frame of this video can be read"):
        read_video(clip)


def test_pictures_that_ffmpeg_does_not_decode_are_named(clip: Path) -> None:
    clip.write_bytes(clip.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(UserError, match="this FFmpeg cannot decode its pictures"):
        read_video(clip)

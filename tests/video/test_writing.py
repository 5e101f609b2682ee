import signal
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from clips import SOUND_RATE, pictures, write_clip
from latentloop.errors import UserError
from latentloop.images import from_uint8
from latentloop.video import read_video, write_video

av = pytest.importorskip("av")
Array = npt.NDArray[Any]
RATE = Fraction(25)


def tensors(count: int, height: int = 48, width: int = 64) -> list[Tensor]:
    return [from_uint8(picture) for picture in pictures(count, height, width)]


def decoded(path: Path) -> list[Array]:
    """Frames as PyAV's own conversion gives them."""
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24").astype(float) for frame in file.decode(video=0)]


def heard(path: Path) -> Array:
    """Samples of the sound, from -1 to 1; what the file tells players to leave out is left out."""
    with av.open(str(path)) as file:
        resampler = av.AudioResampler("flt", "mono", SOUND_RATE)
        pieces = [piece for frame in file.decode(audio=0) for piece in resampler.resample(frame)]
    samples: Array = np.concatenate([piece.to_ndarray()[0] for piece in pieces])
    return samples


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001)])
def test_what_is_written_is_read_again(tmp_path: Path, rate: Fraction) -> None:
    path = tmp_path / "new folder" / "clip.mp4"
    write_video(path, iter(tensors(20)), rate)
    video = read_video(path)
    assert (video.width, video.height, video.rate, video.frame_count, video.has_audio) == (64, 48, rate, 20, False)
    frames = list(video.frames())
    assert len(frames) == 20
    for frame, expected in zip(frames, tensors(20), strict=True):
        assert (frame - expected).abs().mean() * 127.5 < 2
    assert list(path.parent.iterdir()) == [path]


def test_the_file_is_what_any_player_plays(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, tensors(3), RATE)
    with av.open(str(path)) as file:
        stream = file.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        # FFmpeg's numbers of BT.709 and of the limited range.
        assert (stream.colorspace, stream.color_primaries, stream.color_trc, stream.color_range) == (1, 1, 1, 1)
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")  # a browser can start before it has the whole file


def test_colours_are_stored_as_bt709(tmp_path: Path) -> None:
    path, colour = tmp_path / "clip.mp4", np.array([200, 120, 60]) / 255
    write_video(path, [torch.from_numpy(2 * colour - 1).float()[None, :, None, None].expand(1, 3, 48, 64)], RATE, crf=1)
    y = colour @ [0.2126, 0.7152, 0.0722]
    cb, cr = (colour[2] - y) / (2 * (1 - 0.0722)), (colour[0] - y) / (2 * (1 - 0.2126))
    with av.open(str(path)) as file:
        planes = next(file.decode(video=0)).to_ndarray()
    levels = planes[:48].mean(), planes[48:60].mean(), planes[60:].mean()
    np.testing.assert_allclose(levels, [16 + 219 * y, 128 + 224 * cb, 128 + 224 * cr], atol=1)


@pytest.mark.parametrize(("height", "width"), [(47, 64), (48, 63), (47, 63)])
def test_an_odd_size_gets_its_last_row_or_column_twice(tmp_path: Path, height: int, width: int) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, tensors(3, height, width), RATE, crf=5)
    for frame, picture in zip(decoded(path), pictures(3, height, width), strict=True):
        expected = np.pad(picture.astype(float), ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        assert frame.shape == expected.shape
        assert np.abs(frame - expected).mean() < 2.5
        assert np.abs(frame - expected)[-1].mean() < 5


def test_a_lower_crf_is_a_larger_and_closer_file(tmp_path: Path) -> None:
    errors, sizes = [], []
    for crf in (5, 40):
        path = tmp_path / f"{crf}.mp4"
        write_video(path, tensors(10), RATE, crf=crf)
        errors.append(np.abs(np.stack(decoded(path)) - np.stack(pictures(10))).mean())
        sizes.append(path.stat().st_size)
    assert errors[0] < errors[1]
    assert sizes[0] > sizes[1]


@pytest.mark.parametrize(("ending", "codec"), [("mp4", "aac"), ("mp4", "libmp3lame"), ("mkv", "aac")])
def test_sound_is_copied_to_the_byte(tmp_path: Path, ending: str, codec: str) -> None:
    source, path = tmp_path / f"source.{ending}", tmp_path / "clip.mp4"
    write_clip(source, pictures(50), sound=codec)
    write_video(path, tensors(50), RATE, audio_from=source)
    assert read_video(path).has_audio
    copied, original = packets(path), packets(source)
    # The last one may hold no more than what comes after the last picture.
    assert copied in (original, original[:-1])
    assert len(heard(path)) / SOUND_RATE == pytest.approx(2, abs=0.06)


@pytest.mark.parametrize("codec", ["pcm_s16le", "flac"])
def test_sound_that_mp4_has_no_place_for_is_encoded_anew(tmp_path: Path, codec: str) -> None:
    source, path = tmp_path / "source.mkv", tmp_path / "clip.mp4"
    write_clip(source, pictures(50), sound=codec)
    write_video(path, tensors(50), RATE, audio_from=source)
    with av.open(str(path)) as file:
        assert file.streams.audio[0].codec_context.name.startswith("aac")
    before, after = heard(source), heard(path)
    assert len(after) == pytest.approx(len(before), abs=0.03 * SOUND_RATE)
    # A sine of 440 Hz still, and no less loud.
    middle = after[SOUND_RATE // 2 : 3 * SOUND_RATE // 2]
    assert np.abs(np.fft.rfft(middle)).argmax() == 440
    assert middle.std() == pytest.approx(8000 / 32768 / 2**0.5, rel=0.05)


def test_sound_ends_with_the_pictures(tmp_path: Path) -> None:
    source, path = tmp_path / "source.mp4", tmp_path / "clip.mp4"
    write_clip(source, pictures(100), sound="aac")
    write_video(path, tensors(25), RATE, audio_from=source)
    assert len(heard(path)) / SOUND_RATE == pytest.approx(1, abs=0.05)


def onset(path: Path) -> float:
    """When a sound begins after the first picture, in seconds."""
    with av.open(str(path)) as file:
        first = next(file.decode(video=0)).time
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray().astype(float)).flatten() > 0.1)
            if len(loud):
                return float(frame.time + loud[0] / SOUND_RATE - first)
    raise AssertionError("no sound")


@pytest.mark.parametrize("codec", ["aac", "pcm_f32le"])
@pytest.mark.parametrize("delay", [0, 0.8])
def test_sound_stays_with_its_pictures(tmp_path: Path, codec: str, delay: float) -> None:
    source, path = tmp_path / "source.mkv", tmp_path / "clip.mp4"
    write_clip(source, pictures(25), sound=codec, seconds=2, delay=delay, silence=delay + 0.4)
    write_video(path, read_video(source).frames(), RATE, audio_from=source)
    assert len(decoded(path)) == 25
    assert onset(path) == pytest.approx(0.4, abs=0.03)


def test_a_source_without_sound_gives_none(tmp_path: Path) -> None:
    write_clip(tmp_path / "source.mp4", pictures(3))
    write_video(tmp_path / "clip.mp4", tensors(3), RATE, audio_from=tmp_path / "source.mp4")
    assert not read_video(tmp_path / "clip.mp4").has_audio


@pytest.mark.parametrize("source", ["absent.mp4", "diary.mp4"])
def test_sound_that_cannot_be_read_is_the_users_error(tmp_path: Path, source: str) -> None:
    (tmp_path / "diary.mp4").write_text("Dear diary")
    with pytest.raises(UserError, match=rf"{source}: (no such file|not a video that FFmpeg can read)"):
        write_video(tmp_path / "clip.mp4", tensors(3), RATE, audio_from=tmp_path / source)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.mp4"]


def failing() -> Iterator[Tensor]:
    yield from tensors(3)
    raise UserError("no more")


def test_frames_that_fail_half_way_leave_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"the old file")
    with pytest.raises(UserError, match="no more"):
        write_video(path, failing(), RATE)
    assert path.read_bytes() == b"the old file"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import sys, time, torch
from fractions import Fraction
from latentloop.video import write_video

def frames():
    for i in range(1000):
        yield torch.zeros(1, 3, 48, 64)
        if i == 200:
            print("half way", flush=True)
            time.sleep(60)

write_video(sys.argv[1], frames(), Fraction(25))
"""


def test_a_kill_half_way_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half way\n"
        process.send_signal(signal.SIGKILL)
    assert not path.exists()


def test_a_full_disk_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"clip\.mp4: cannot write here: "):
        write_video(Path("/proc/clip.mp4"), tensors(3), RATE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("frames", "crf", "message"),
    [
        ([], 18, "a video needs at least one frame"),
        (tensors(1), 52, "crf must be from 0 to 51, got 52"),
        (tensors(1) + tensors(1, 50, 64), 18, r"frame 1 is \(1, 3, 50, 64\), unlike the first"),
    ],
)
def test_bad_arguments_are_refused(tmp_path: Path, frames: list[Tensor], crf: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_video(tmp_path / "clip.mp4", frames, RATE, crf=crf)
    assert not list(tmp_path.iterdir())


def test_without_pyav_one_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"videos need PyAV: pip install av"):
        write_video(tmp_path / "clip.mp4", tensors(1), RATE)

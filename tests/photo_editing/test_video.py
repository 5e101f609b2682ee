import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from clips import pictures, write_clip
from conftest import ToyGenerator, randn
from latentloop.editing import Direction
from latentloop.errors import UserError
from latentloop.faces import FaceMask
from latentloop.faces.detection import Faces
from latentloop.images import resample
from latentloop.inversion import IteratorConfig, LatentIterator
from latentloop.losses import pixel_loss
from latentloop.losses.image import toward, weighted_sum
from latentloop.photo_editing.applied_directions import AppliedDirections
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.video import edit_video
from latentloop.photo_editing.video_editor import Smoothing, VideoEditor, find_quad, size_for
from latentloop.photo_editing.video_work import MARKER, VideoWork, remove_faces
from latentloop.video import Video, read_video

FRAMES = 7
UPRIGHT = torch.tensor([[-4.0, -4.0], [4.0, -4.0], [0.0, 0.0], [-3.0, 5.0], [3.0, 5.0]])
"""Landmarks of a face about its middle."""


@dataclass
class SpotDetector:
    """Takes the brightest spot for a face; there is none in dark frames."""

    calls: int = 0

    def detect(self, image: Tensor) -> Faces:
        self.calls += 1
        if image[0, 0].max() < 0:
            return Faces(torch.zeros(0, 4), torch.zeros(0, 5, 2), torch.zeros(0))
        brightest = int(image[0, 0].argmax())
        y, x = divmod(brightest, image.shape[-1])
        return Faces(torch.zeros(1, 4), UPRIGHT[None] + torch.tensor([float(x), float(y)]), torch.ones(1))


@dataclass
class MeanEncoder:
    """A network that knows the mean colour of a face, and how often it was asked."""

    resolution: int = 32
    seen: int = 0
    columns: Tensor = field(default_factory=lambda: randn(3, 32, seed=4).float())

    def __call__(self, image: Tensor) -> Tensor:
        self.seen += len(image)
        codes: Tensor = (image.mean(dim=(2, 3)) @ self.columns).unflatten(1, (4, 8))
        return codes


@pytest.fixture
def clip(tmp_path: Path) -> Video:
    write_clip(tmp_path / "clip.mp4", pictures(FRAMES), sound="aac")
    return read_video(tmp_path / "clip.mp4")


@pytest.fixture
def edits() -> AppliedDirections:
    vector = randn(8, seed=1).float()
    return AppliedDirections([(Direction("smile", vector, (1, 2), 4, "0123456789abcdef", "toy-32"), 0.5)])


def with_dark_frames(folder: Path, *dark: int) -> Video:
    """The clip, but dark at some frames."""
    frames = [np.full_like(frame, 50) if i in dark else frame for i, frame in enumerate(pictures(FRAMES))]
    write_clip(folder / "dark.mp4", frames)
    return read_video(folder / "dark.mp4")


def make_editor(generator: ToyGenerator, **changes: object) -> VideoEditor:
    editor = VideoEditor(
        generator=generator,
        encoder=MeanEncoder(),
        detector=SpotDetector(),  # type: ignore[arg-type]
        editor=Editor(generator, FaceMask("square", feather=0.1)),
    )
    return replace(editor, **changes)  # type: ignore[arg-type]


def ignore(_stage: str, _done: int, _total: int) -> None:
    pass


def frames_of(path: Path) -> Tensor:
    return torch.cat(list(read_video(path).frames()))


def test_all_frames_come_with_their_sound_and_another_face(
    float_toy: ToyGenerator, clip: Video, edits: AppliedDirections, tmp_path: Path
) -> None:
    editor, work = make_editor(float_toy), VideoWork(tmp_path / "work", {"video": 1})
    done = edit_video(editor, clip, EditFolder(tmp_path / "out"), work, edits, ignore)
    before, after = frames_of(clip.path), frames_of(done.path)
    assert before.shape == after.shape == (FRAMES, 3, 48, 64)
    assert read_video(done.path).has_audio
    track = editor.track(clip, work, ignore)
    changed = (before - after).abs().mean(dim=1) > 0.15
    for mask, quad in zip(changed, track.quads, strict=True):
        rows, columns = mask.nonzero().T
        assert quad[:, 0].amin() - 2 <= columns.min()
        assert columns.max() <= quad[:, 0].amax() + 2
        assert quad[:, 1].amin() - 2 <= rows.min()
        assert rows.max() <= quad[:, 1].amax() + 2
    told = json.loads((tmp_path / "out" / "clip.json").read_text())
    assert told["flicker"]["smoothed"]["jitter"] < told["flicker"]["unsmoothed"]["jitter"]
    assert told["frames_without_a_face"] == 0
    assert not list((tmp_path / "work").glob("faces-*"))


def test_faces_of_other_edits_go_and_folders_of_others_stay(tmp_path: Path) -> None:
    work = VideoWork(tmp_path, {"video": 1})
    stranger = tmp_path / "faces-of-my-family" / "anna.png"
    stranger.parent.mkdir()
    stranger.touch()
    first, second = (work.faces_of(codes, {"size": 256}) for codes in (torch.zeros(1, 4, 8), torch.ones(1, 4, 8)))
    assert not first.exists()
    assert second.is_dir()
    assert stranger.is_file()
    assert work.faces_of(torch.ones(1, 4, 8), {"size": 256}) == second
    assert work.faces_of(torch.ones(1, 4, 8), {"size": 512}) != second


def test_what_others_keep_in_a_folder_of_faces_stays(tmp_path: Path) -> None:
    work, codes = VideoWork(tmp_path, {}), torch.zeros(1, 4, 8)
    folder = work.faces_of(codes, {})
    for name in ("000000.png", "000000-where.png", ".latentloop-0123456789abcdef.part"):
        (folder / name).touch()
    (folder / "best.png").write_text("precious")
    remove_faces(folder)
    assert {file.name for file in folder.iterdir()} == {MARKER, "best.png"}
    (folder / "best.png").unlink()
    remove_faces(folder)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_of_somebody_else_gets_no_faces(tmp_path: Path, linked: bool) -> None:
    work, codes = VideoWork(tmp_path / "work", {}), torch.zeros(1, 4, 8)
    folder = work.faces_of(codes, {})
    remove_faces(folder)
    theirs = tmp_path / "theirs" if linked else folder
    theirs.mkdir()
    (theirs / "anna.png").touch()
    if linked:
        folder.symlink_to(theirs)
    with pytest.raises(UserError, match="would go into"):
        work.faces_of(codes, {})
    assert [file.name for file in theirs.iterdir()] == ["anna.png"]


@pytest.mark.parametrize("name", ["quads", "codes"])
def test_work_replaces_no_file_of_somebody_else(
    float_toy: ToyGenerator, clip: Video, tmp_path: Path, name: str
) -> None:
    path = tmp_path / f"{name}.npz"
    np.savez(path, w=np.zeros(3))
    before = path.read_bytes()
    with pytest.raises(UserError, match=f"would overwrite {path}"):
        make_editor(float_toy).track(clip, VideoWork(tmp_path, {}), ignore)
    assert path.read_bytes() == before


def test_an_edited_video_replaces_only_itself(
    float_toy: ToyGenerator, clip: Video, edits: AppliedDirections, tmp_path: Path
) -> None:
    out, work = tmp_path / "out", VideoWork(tmp_path / "work", {})

    def attempt() -> None:
        edit_video(make_editor(float_toy), clip, EditFolder(out), work, edits, ignore, name="clip-smile1")

    attempt()
    attempt()
    for name in ("clip-smile1.mp4", "clip-smile1.json"):
        ours = (out / name).read_bytes()
        (out / name).write_bytes(clip.path.read_bytes())
        with pytest.raises(UserError, match=f"would overwrite .*{name}"):
            attempt()
        assert (out / name).read_bytes() == clip.path.read_bytes()
        (out / name).write_bytes(ours)
    write_clip(tmp_path / "other.mp4", pictures(FRAMES - 1))
    other = read_video(tmp_path / "other.mp4")
    first = (out / "clip-smile1.mp4").read_bytes()
    rough = make_editor(float_toy, smoothing=Smoothing(codes=0))
    for one, editor in ((other, make_editor(float_toy)), (clip, rough)):
        done = edit_video(editor, one, EditFolder(out), work, edits, ignore, name="clip-smile1")
        assert re.fullmatch(r"clip-smile1-[0-9a-f]{6}\.mp4", done.path.name)
        assert done.path.with_suffix(".json").is_file()
    assert len(list(out.glob("*.mp4"))) == 3
    assert (out / "clip-smile1.mp4").read_bytes() == first


def test_the_codes_are_those_of_the_network_on_each_aligned_face(
    float_toy: ToyGenerator, clip: Video, tmp_path: Path
) -> None:
    from latentloop.faces import crop_quad

    editor = make_editor(float_toy)
    track = editor.track(clip, VideoWork(tmp_path / "work", {}), ignore)
    for frame, quad, code in zip(clip.frames(), track.quads, track.raw, strict=True):
        face = resample(crop_quad(frame, quad, 256), 32)
        torch.testing.assert_close(MeanEncoder()(face)[0], code, atol=1e-5, rtol=0)


def test_a_stopped_run_goes_on_where_it_was(
    float_toy: ToyGenerator, clip: Video, edits: AppliedDirections, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, frames: Iterable[Tensor], _rate: object, *, audio_from: Path, comment: str) -> None:
        whole = torch.cat(list(frames)).numpy()  # what a video would be made of: encoders are not always alike
        assert audio_from == clip.path
        assert comment.startswith("latentloop edit ")
        with path.open("wb") as file:
            np.save(file, whole)

    monkeypatch.setattr("latentloop.photo_editing.video.write_video", write)
    folder, work = EditFolder(tmp_path / "whole"), VideoWork(tmp_path / "a", {})
    whole = edit_video(make_editor(float_toy), clip, folder, work, edits, ignore)
    work, editor = VideoWork(tmp_path / "b", {}), make_editor(float_toy)

    def stop_at(stage: str, frame: int) -> None:
        def progress(now: str, done: int, _total: int) -> None:
            if (now, done) == (stage, frame):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            edit_video(editor, clip, EditFolder(tmp_path / "out"), work, edits, progress)
        assert not (tmp_path / "out" / "clip.mp4").exists()

    stop_at("faces found", 3)
    stop_at("faces drawn", 4)
    detector, encoder = editor.detector, editor.encoder
    assert isinstance(detector, SpotDetector)
    assert isinstance(encoder, MeanEncoder)
    assert detector.calls <= FRAMES + 1
    assert encoder.seen == FRAMES
    stop_at("frames written", 5)
    done = edit_video(editor, clip, EditFolder(tmp_path / "out"), work, edits, ignore)
    assert encoder.seen == FRAMES
    np.testing.assert_array_equal(np.load(done.path), np.load(whole.path))


@pytest.mark.parametrize("deleted", ["[0-9]*-where.png", "[0-9]?????.png", "*3*.png"])
def test_a_run_that_was_killed_while_it_deleted_its_faces_is_run_again(
    float_toy: ToyGenerator,
    clip: Video,
    edits: AppliedDirections,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    deleted: str,
) -> None:
    def killed_amid(folder: Path) -> None:
        for picture in folder.glob(deleted):
            picture.unlink()
        raise KeyboardInterrupt

    folder, work = EditFolder(tmp_path / "out"), VideoWork(tmp_path / "work", {})
    with monkeypatch.context() as patched:
        patched.setattr("latentloop.photo_editing.video.remove_faces", killed_amid)
        with pytest.raises(KeyboardInterrupt):
            edit_video(make_editor(float_toy), clip, folder, work, edits, ignore)
    whole = frames_of(tmp_path / "out" / "clip.mp4")
    done = edit_video(make_editor(float_toy), clip, EditFolder(tmp_path / "out"), work, edits, ignore)
    assert torch.equal(frames_of(done.path), whole)
    assert not list((tmp_path / "work").glob("faces-*"))


def test_other_settings_begin_anew(float_toy: ToyGenerator, clip: Video, tmp_path: Path) -> None:
    editor = make_editor(float_toy)
    for told in ({"network": "a"}, {"network": "a"}, {"network": "b"}):
        editor.track(clip, VideoWork(tmp_path / "work", told), ignore)
    encoder = editor.encoder
    assert isinstance(encoder, MeanEncoder)
    assert encoder.seen == 2 * FRAMES
    # Codes are of the faces where they are cut out; how the codes are smoothed changes nothing of that.
    for smoothing, seen in ((Smoothing(codes=5), 2), (Smoothing(middle=2), 3), (Smoothing(axis=1), 4)):
        replace(editor, smoothing=smoothing).track(clip, VideoWork(tmp_path / "work", {"network": "b"}), ignore)
        assert encoder.seen == seen * FRAMES


def test_other_steps_of_the_iterator_begin_anew(
    float_toy: ToyGenerator, clip: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentloop.photo_editing.video_editor.WORKING_SIZE", 32)
    work, codes = VideoWork(tmp_path / "work", {}), []
    for steps in (1, 5, 1):
        iterator = LatentIterator(float_toy, toward(pixel_loss), IteratorConfig(steps=steps))
        codes.append(make_editor(float_toy, iterator=iterator).track(clip, work, ignore).codes)
    assert not torch.equal(codes[0], codes[1])
    assert torch.equal(codes[0], codes[2])


def test_codes_that_are_refined_by_something_else_begin_anew(
    float_toy: ToyGenerator, clip: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentloop.photo_editing.video_editor.WORKING_SIZE", 32)
    work, codes = VideoWork(tmp_path / "work", {}), []
    for weight in (1.0, 0.5):
        loss = weighted_sum((weight, toward(pixel_loss)), (1 - weight, toward(lambda a, _: a.mean(dim=(1, 2, 3)))))
        iterator = LatentIterator(float_toy, loss, IteratorConfig(steps=3))
        editor = make_editor(float_toy, iterator=iterator, refined_by={"weight": weight})
        codes.append(editor.track(clip, work, ignore).codes)
    assert not torch.equal(*codes)


def test_damaged_work_is_done_again(float_toy: ToyGenerator, clip: Video, tmp_path: Path) -> None:
    work = VideoWork(tmp_path / "work", {})
    first = make_editor(float_toy).track(clip, work, ignore)
    for path in (tmp_path / "work").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:100])
    assert torch.equal(make_editor(float_toy).track(clip, work, ignore).codes, first.codes)


def test_what_frames_without_a_face_lack_is_interpolated(float_toy: ToyGenerator, clip: Video, tmp_path: Path) -> None:
    track = make_editor(float_toy).track(with_dark_frames(tmp_path, 0, 3), VideoWork(tmp_path / "work", {}), ignore)
    assert track.missing == 2
    whole = make_editor(float_toy).track(clip, VideoWork(tmp_path / "other", {}), ignore)
    assert (track.quads[3] - whole.quads[3]).abs().max() < 1.5
    torch.testing.assert_close(track.raw[3], (track.raw[2] + track.raw[4]) / 2)
    torch.testing.assert_close(track.raw[0], track.raw[1])


def test_frames_without_a_face_stay_as_they_are(
    float_toy: ToyGenerator, edits: AppliedDirections, tmp_path: Path
) -> None:
    video = with_dark_frames(tmp_path, 0, 3)
    folder, work = EditFolder(tmp_path / "out"), VideoWork(tmp_path / "w", {})
    done = edit_video(make_editor(float_toy), video, folder, work, edits, ignore)
    before, after = frames_of(video.path), frames_of(done.path)
    changed = [(a - b).abs().mean().item() > 0.02 for a, b in zip(before, after, strict=True)]
    assert changed == [i not in (0, 3) for i in range(FRAMES)]


def test_no_face_at_all(float_toy: ToyGenerator, tmp_path: Path) -> None:
    video = with_dark_frames(tmp_path, *range(FRAMES))
    with pytest.raises(UserError, match="no face found in any frame"):
        make_editor(float_toy).track(video, VideoWork(tmp_path / "work", {}), ignore)


def test_key_frames_bring_all_frames_closer(
    float_toy: ToyGenerator, clip: Video, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentloop.photo_editing.video_editor.KEY", 3)
    iterator = LatentIterator(float_toy, toward(pixel_loss), IteratorConfig(steps=30))
    alone = make_editor(float_toy).track(clip, VideoWork(tmp_path / "a", {}), ignore)
    closer = make_editor(float_toy, iterator=iterator).track(clip, VideoWork(tmp_path / "b", {}), ignore)
    from latentloop.faces import crop_quad

    faces = torch.cat([crop_quad(f, q, 32) for f, q in zip(clip.frames(), alone.quads, strict=True)])
    before, after = (pixel_loss(float_toy.synthesis(track.codes), faces) for track in (alone, closer))
    assert (after < 0.7 * before).all()
    changes = closer.codes - alone.codes
    torch.testing.assert_close(changes[1], (changes[0] + changes[2]) / 2, atol=1e-5, rtol=0)


def test_of_several_faces_the_nearest_is_taken() -> None:
    class Two:
        def detect(self, _image: Tensor) -> Faces:
            places = torch.tensor([[50.0, 20.0], [10.0, 20.0]])
            return Faces(torch.zeros(2, 4), UPRIGHT + places[:, None], torch.ones(2))

    frame = torch.zeros(1, 3, 48, 64)
    largest = find_quad(frame, Two(), near=None)  # type: ignore[arg-type]
    assert largest is not None
    assert largest.mean(dim=0)[0] > 40
    second = find_quad(frame, Two(), near=largest - torch.tensor([30.0, 0.0]))  # type: ignore[arg-type]
    assert second is not None
    assert second.mean(dim=0)[0] < 20


def test_a_large_frame_is_looked_at_made_smaller() -> None:
    seen = []

    class Spot(SpotDetector):
        def detect(self, image: Tensor) -> Faces:
            seen.append(tuple(image.shape))
            return super().detect(image)

    frame = -torch.ones(1, 3, 960, 1280)
    frame[:, :, 400:404, 600:604] = 1
    quad = find_quad(frame, Spot(), near=None)  # type: ignore[arg-type]
    assert seen == [(1, 3, 480, 640)]
    assert quad is not None
    small = find_quad(frame[:, :, ::2, ::2], SpotDetector(), near=None)  # type: ignore[arg-type]
    assert small is not None
    torch.testing.assert_close(quad, 2 * small + 0.5, atol=2.1, rtol=0)


@pytest.mark.parametrize(
    ("side", "largest", "size"), [(100, 1024, 256), (300, 1024, 512), (2000, 1024, 1024), (99, 32, 32)]
)
def test_faces_are_drawn_as_large_as_they_are_needed(side: float, largest: int, size: int) -> None:
    quad = side * torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    assert size_for(quad[None], largest) == size


def test_a_video_of_one_frame(float_toy: ToyGenerator, edits: AppliedDirections, tmp_path: Path) -> None:
    write_clip(tmp_path / "one.mp4", pictures(1))
    video = read_video(tmp_path / "one.mp4")
    folder, work = EditFolder(tmp_path / "out"), VideoWork(tmp_path / "w", {})
    done = edit_video(make_editor(float_toy), video, folder, work, edits, ignore)
    assert len(frames_of(done.path)) == 1
    assert done.flicker["smoothed"].jitter == 0


def test_shares_of_an_edit_say_what_they_are(edits: AppliedDirections) -> None:
    assert [edits.label(share) for share in (-1.0, 0.0, 0.5)] == ["smile -0.5", "unedited", "smile +0.25"]
    assert torch.equal(edits.apply(torch.ones(1, 4, 8), 0.0), torch.ones(1, 4, 8))


def test_work_of_few_bytes_that_claims_much_is_made_again(tmp_path: Path) -> None:
    def read_or_made() -> list[Tensor]:
        return work.collect("codes", {}, lambda found: [torch.ones(4, 8)] if not found else [], lambda _: None)

    work = VideoWork(tmp_path, {})
    (made,) = read_or_made()
    with np.load(tmp_path / "codes.npz") as arrays:
        told = str(arrays["told"])
    np.savez_compressed(tmp_path / "codes.npz", told=told, w=np.zeros((1, 1 << 25), np.float32))
    (again,) = read_or_made()
    assert torch.equal(again, made)

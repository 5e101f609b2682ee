import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from clips import pictures, write_clip
from conftest import randn
from latentloop.editing import Direction
from latentloop.embedding.options import SearchOptions
from latentloop.embedding.quality import FULL_RUN
from latentloop.errors import UserError
from latentloop.faces import FaceMask, crop_quad
from latentloop.generators import Generator, Refinement, Residual, refined, seamed, weights_fingerprint
from latentloop.inversion import Comparison, FeatureRefiner
from latentloop.inversion.beyond import Refined
from latentloop.losses import pixel_loss, toward
from latentloop.photo_editing.applied_directions import AppliedDirections
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.edit_job import EditJob
from latentloop.photo_editing.editor import Editor
from latentloop.photo_editing.frame_refinements import FrameRefinements, FrameRefiner
from latentloop.photo_editing.subject_options import SubjectOptions
from latentloop.photo_editing.video import edit_video
from latentloop.photo_editing.video_editor import Smoothing, VideoEditor
from latentloop.photo_editing.video_job import VideoJob
from latentloop.photo_editing.video_work import VideoWork
from latentloop.video import Video, read_video
from random_networks import random_codes, random_network

FRAMES = 4
COMPARISON = Comparison(toward(pixel_loss))


@dataclass(frozen=True)
class Counting(FeatureRefiner):
    """A refiner that tells how many residuals each of its calls began with."""

    begun: list[int] = field(default_factory=list)

    def refine(self, *arguments: object, start: object = (), **named: object) -> Refined:
        self.begun.append(len(cast("list[object]", start)))
        return super().refine(*arguments, start=start, **named)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Scene:
    """A clip, and the place and the code of a face in each of its frames."""

    video: Video
    generator: Generator
    quads: Tensor
    codes: Tensor
    seen: Tensor
    refiner: FrameRefiner

    def refine(self, folder: Path, stop_at: int | None = None) -> list[Tensor]:
        """Refine the frames into a folder, and draw them."""

        def progress(_stage: str, done: int, total: int) -> None:
            assert total == FRAMES
            if done == stop_at:
                raise KeyboardInterrupt

        found = self.refiner.refine(self.video, self.quads, self.codes, self.seen, folder, progress)
        drawn = (found.drawn_by(i) or self.generator for i in range(FRAMES))
        return [by.synthesis(w[None]) for by, w in zip(drawn, self.codes, strict=True)]

    @property
    def begun(self) -> tuple[list[int], list[int]]:
        """Residuals that the first frame, and the later ones, began with."""
        return cast("Counting", self.refiner.first).begun, cast("Counting", self.refiner.later).begun


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    write_clip(tmp_path / "clip.mp4", pictures(FRAMES))
    generator = random_network("mobilestylegan", double=False)
    corners = torch.tensor([[-8.0, -8.0], [-8.0, 8.0], [8.0, 8.0], [8.0, -8.0]], dtype=torch.float64)
    quads = torch.stack([corners + torch.tensor([16.0 + 3 * i, 16.0]) for i in range(FRAMES)])
    codes = random_codes(generator, 1)
    first, later = (Counting(generator, COMPARISON, steps, lr=0.3) for steps in (8, 3))
    refiner = FrameRefiner(first, later, {"steps": 8})
    video = read_video(tmp_path / "clip.mp4")
    return Scene(video, generator, quads, codes.expand(FRAMES, -1, -1), torch.ones(FRAMES, dtype=torch.bool), refiner)


def test_each_frame_goes_on_from_the_one_before(scene: Scene, tmp_path: Path) -> None:
    drawn = torch.cat(scene.refine(tmp_path))
    assert scene.begun == ([0], [1, 1, 1])
    faces = torch.cat([crop_quad(frame, quad, 32) for frame, quad in zip(scene.video.frames(), scene.quads)])  # noqa: B905
    before, after = (pixel_loss(images, faces) for images in (scene.generator.synthesis(scene.codes), drawn))
    assert (after < before).all()
    alone = FeatureRefiner(scene.generator, COMPARISON, steps=3, lr=0.3).refine(faces, scene.codes)
    assert (after[2:] < alone.losses[-1, 2:]).all()


def test_changes_are_smoothed_in_time(scene: Scene, tmp_path: Path) -> None:
    found = FrameRefinements(tmp_path, scene.generator)
    weights, own = weights_fingerprint(scene.generator), scene.codes[0]
    changes = randn(FRAMES, *seamed(scene.generator).seams[8], seed=2).float().half().float()
    for i in (0, 1, 3):
        found.write(i, Refinement(scene.generator.name, weights, Residual(8, changes[i], own)))
    shares = torch.tensor([math.exp(-0.5), 1.0, math.exp(-2.0)]) / (math.exp(-0.5) + 1 + math.exp(-2.0))
    mean = sum(share * change for share, change in zip(shares, changes[[0, 1, 3]], strict=True))
    expected = refined(scene.generator, Refinement(scene.generator.name, weights, Residual(8, mean, own)))
    drawn = found.drawn_by(1)
    assert drawn is not None
    torch.testing.assert_close(drawn.synthesis(own[None]), expected.synthesis(own[None]))
    assert found.drawn_by(2) is None


def test_a_stopped_run_goes_on_to_the_bit(scene: Scene, tmp_path: Path) -> None:
    whole = scene.refine(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        scene.refine(tmp_path / "parts", stop_at=2)
    assert scene.begun == ([0, 0], [1, 1, 1, 1])
    again = scene.refine(tmp_path / "parts")
    assert scene.begun == ([0, 0], [1] * 6)
    assert all(map(torch.equal, again, whole))
    scene.refine(tmp_path / "parts")
    assert scene.begun == ([0, 0], [1] * 6)


def test_a_damaged_file_and_those_after_it_are_made_again(scene: Scene, tmp_path: Path) -> None:
    whole = scene.refine(tmp_path)
    file = tmp_path / "000002.npz"
    file.write_bytes(file.read_bytes()[:100])
    assert all(map(torch.equal, scene.refine(tmp_path), whole))
    assert scene.begun == ([0], [1] * 5)


def test_frames_without_a_face_are_passed_over(scene: Scene, tmp_path: Path) -> None:
    seen = torch.tensor([False, True, False, True])
    drawn = replace(scene, seen=seen).refine(tmp_path)
    assert scene.begun == ([0], [1])
    plain = scene.generator.synthesis(scene.codes[:1])
    assert [torch.equal(image, plain) for image in drawn] == [True, False, True, False]
    replace(scene, seen=seen).refine(tmp_path)
    assert scene.begun == ([0], [1])


def test_an_edited_video_is_drawn_with_them(scene: Scene, tmp_path: Path) -> None:
    class Tracked(VideoEditor):
        def _quads(self, *_: object) -> Tensor:
            return scene.quads

        def _codes(self, *_: object) -> Tensor:
            return scene.codes

    direction = Direction("smile", randn(8, seed=1).float(), (1, 2), 8, scene.generator.fingerprint, "mobile")
    edits, work = AppliedDirections([(direction, 0.5)]), VideoWork(tmp_path / "work", {})
    nothing: Any = None
    pasted = Editor(scene.generator, FaceMask("square"), only_changed=False)
    editor = Tracked(scene.generator, nothing, nothing, pasted, Smoothing(0, 0, 0))
    edited: list[Tensor] = []
    for refiner in (None, scene.refiner, replace(scene.refiner, stamp={"steps": 9})):
        out = EditFolder(tmp_path / f"out{len(edited)}")
        done = edit_video(replace(editor, refiner=refiner), scene.video, out, work, edits, lambda *_: None)
        edited.append(torch.cat(list(read_video(done.path).frames())))
    assert not torch.equal(edited[0], edited[1])
    assert torch.equal(edited[1], edited[2])
    assert len(scene.begun[0]) == 2  # the second with another stamp
    (folder,) = (tmp_path / "work").glob("refined-*")
    assert sorted(file.name for file in folder.glob("*.npz")) == [f"{i:06d}.npz" for i in range(FRAMES)]


def video_job(subjects: SubjectOptions) -> VideoJob:
    return VideoJob(cast("EditJob", SimpleNamespace(finder=SimpleNamespace(options=subjects))))


def test_frames_are_refined_where_it_is_asked_for_and_get_nearer_codes_elsewhere() -> None:
    best = SearchOptions(quality="best")
    expected = {
        SubjectOptions(): ("none", FULL_RUN),
        SubjectOptions(search=best): ("features", None),
        SubjectOptions(refine="features"): ("features", None),
        SubjectOptions(search=best, refine="none"): ("none", None),
        SubjectOptions(search=SearchOptions(steps=5)): ("none", 5),
    }
    for subjects, (refine, steps) in expected.items():
        job = video_job(subjects)
        assert (job._refine, job._embedding.search.steps) == (refine, steps)


def test_weights_of_frames_are_refused(scene: Scene) -> None:
    with pytest.raises(UserError, match="videos can only be refined by features"):
        video_job(SubjectOptions(refine="weights")).run(scene.video.path, lambda *_: None)

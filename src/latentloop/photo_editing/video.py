"""Edited videos as files, with their sound."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from latentloop.features.lpips import load_lpips
from latentloop.files import replacing, sha256_of
from latentloop.ownership import MARK
from latentloop.photo_editing.applied_directions import AppliedDirections
from latentloop.photo_editing.edit_folder import EditFolder
from latentloop.photo_editing.flicker import Flicker
from latentloop.photo_editing.listener import Progress
from latentloop.photo_editing.signatures import checksum_of
from latentloop.photo_editing.video_editor import VideoEditor, size_for
from latentloop.photo_editing.video_work import VideoWork, remove_faces
from latentloop.stamps import Stamp, stamp_of
from latentloop.video import Video, write_video


@dataclass(frozen=True)
class EditedVideo:
    """An edited video on disk, with measurements."""

    path: Path
    """Path of the edited video."""
    flicker: Mapping[str, Flicker]
    """Flicker of the face, with "unsmoothed" and with "smoothed" codes."""
    missing: int
    """Number of frames without a detected face; its position is interpolated there."""
    size: int
    """Size of the drawn faces in pixels."""


def edit_video(
    video_editor: VideoEditor,
    video: Video,
    folder: EditFolder,
    work: VideoWork,
    edits: AppliedDirections,
    progress: Progress,
    *,
    name: str | None = None,
) -> EditedVideo:
    """Edit the face in a video into a file NAME.mp4 with its sound, and NAME.json, a measurement of flicker.

    A stopped run resumes where it was, except for the last part, which writes the video.

    Args:
        video_editor: Editor that finds the face's codes and draws it.
        video: Video to edit.
        folder: Folder of the results.
        work: Intermediate results of earlier runs.
        edits: Changes of the codes.
        progress: Called with the stage, the number of finished frames and of all frames.
        name: Name of the result; None for the video's.

    Raises:
        UserError: No face is found, the video is damaged, or a file cannot be written or would replace a foreign one.
    """
    editor, name = video_editor.editor, name or video.path.stem
    claim = folder.claim_video(name, video.path, _stamp(video_editor, video, work, edits))
    track = video_editor.track(video, work, progress)
    size = size_for(track.quads, editor.renderer.resolution)
    drawn_by = video_editor.drawn_by(video, track, work, progress)
    settings = {"size": size, "renderer": editor.renderer.name, "only_changed": editor.only_changed}
    faces = work.faces_of(edits.apply(track.codes), {**settings, **_refined(video_editor)})
    video_editor.draw(track, edits, faces, size, progress, drawn_by)
    path = folder.video(claim)
    flicker = video_editor.flicker(track, edits.apply, load_lpips("alex"), drawn_by)
    edited = EditedVideo(path, flicker, track.missing, size)
    _write_report(path.with_suffix(".json"), edited, claim.signature)
    frames = video_editor.frames(video, track, faces, progress)
    write_video(path, frames, video.rate, audio_from=video.path, comment=claim.signature)
    remove_faces(faces)
    return edited


def _stamp(video_editor: VideoEditor, video: Video, work: VideoWork, edits: AppliedDirections) -> Stamp:
    """Record the inputs and settings that an edited video depends on."""
    editor, iterator = video_editor.editor, video_editor.iterator
    return {
        "source": sha256_of(video.path),
        "work": work.stamp,
        "change": [(checksum_of(direction.change()), strength) for direction, strength in edits.edits],
        "drawing": stamp_of(editor, renderer=editor.renderer.name),
        "smoothing": asdict(video_editor.smoothing),
        "iterator": asdict(iterator.config) if iterator else None,
        **_refined(video_editor),
    }


def _refined(video_editor: VideoEditor) -> Stamp:
    return {"refined": video_editor.refiner.stamp} if video_editor.refiner else {}


def _write_report(path: Path, edited: EditedVideo, signature: str) -> None:
    report = {
        "flicker": {codes: asdict(one) for codes, one in edited.flicker.items()},
        "frames_without_a_face": edited.missing,
        "size": edited.size,
        MARK: signature,
    }
    with replacing(path) as part:
        part.write_text(json.dumps(report, indent=2), encoding="utf-8")

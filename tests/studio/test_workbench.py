"""The studio's computations, with a small random generator that draws no faces."""

import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

import latentloop as ll
from latentloop.editing import save_directions
from latentloop.embedding import quality
from latentloop.errors import NotFiniteError, UserError
from latentloop.images import read_image, write_png
from latentloop.photo_editing import edit_files
from latentloop.photo_editing.applied_directions import restricted
from latentloop.photo_editing.direction_search import find_unsupervised
from latentloop.photo_editing.subject_options import SubjectOptions
from latentloop.studio.history import EditState
from latentloop.studio.improving import Step, improve, steps_of
from latentloop.studio.making import between, edited_files, mixed, morph_video, strip, video
from latentloop.studio.opening import code_in_photo, open_code, open_face, open_photo, open_random
from latentloop.studio.session import OwnDirection, Session, Sessions, Stopped
from latentloop.studio.workbench import Workbench
from small_generators import SmallGenerator, SmallPhotos

STATE = EditState({"sefa0": 1.5})


@pytest.fixture
def generator(small_generator: SmallGenerator) -> Path:
    return small_generator()


@pytest.fixture
def bench(generator: Path) -> Workbench:
    return Workbench(ll.load(generator, device="cpu"))


@pytest.fixture
def session(tmp_path: Path, bench: Workbench) -> Session:
    """A session with a direction of its own."""
    session = Sessions(tmp_path).get("one")
    found = find_unsupervised(bench.model.components.generator, "sefa", count=2, layers="all", samples=100, seed=0)
    path = session.new_place() / "sefa.safetensors"
    save_directions(path, found)
    session.directions = {"sefa0": OwnDirection(f"{path}:sefa0", found[0])}
    return session


@pytest.fixture
def photo(generator: Path, small_photos: SmallPhotos) -> Path:
    return small_photos(generator, 1) / "0.png"


def as_shown(image: torch.Tensor, folder: Path) -> torch.Tensor:
    """An image rounded as a PNG is."""
    write_png(folder / "rounded.png", image)
    return read_image(folder / "rounded.png")


def test_a_photo_is_opened_edited_and_saved_as_the_command_does(
    bench: Workbench, session: Session, photo: Path, tmp_path: Path
) -> None:
    face = open_photo(bench, session, photo, "My photo!.PNG")
    assert face.photo is not None
    assert face.photo.path.name == "My_photo.png"
    assert not torch.equal(bench.preview(session, face, STATE), bench.preview(session, face, EditState()))
    picture, alone, code, unedited = edited_files(bench, session, face, STATE)
    assert str(unedited) == face.argument
    codes, out = Path(face.argument), tmp_path / "out"
    generator = str(bench.model.components.generator_file)
    subjects = SubjectOptions(generator=generator, device="cpu", photos=face.photo.path)
    assert edit_files([codes], {session.directions["sefa0"].argument: 1.5}, out, subjects=subjects)
    assert picture.read_bytes() == (out / picture.name).read_bytes()
    assert alone.read_bytes() == (out / "faces" / picture.name).read_bytes()
    assert torch.equal(ll.load_code(code).w_plus, ll.load_code(out / code.name).w_plus)
    shown = bench.picture(session, face, STATE).picture
    assert torch.equal(as_shown(shown, tmp_path), read_image(picture))


def test_a_photo_that_is_not_square_is_cut(bench: Workbench, session: Session, tmp_path: Path) -> None:
    write_png(tmp_path / "wide.png", torch.rand(1, 3, 40, 60) * 2 - 1)
    face = open_photo(bench, session, tmp_path / "wide.png", "wide.jpg")
    assert face.photo is not None
    assert face.photo.size == (40, 40)
    assert bench.original(face).shape == (1, 3, 40, 40)


def test_the_files_of_an_earlier_photo_go(bench: Workbench, session: Session, photo: Path) -> None:
    first = open_photo(bench, session, photo, "before-a.jpg")
    again = open_face(bench, session, first.photo, 0) if first.photo else first
    assert first.place == again.place
    assert first.place.exists()
    second = open_photo(bench, session, photo, "before-a.jpg")
    assert not first.place.exists()
    assert second.place.exists()
    with pytest.raises(UserError):
        open_photo(bench, session, photo.with_name("missing.png"), "c.png")
    assert session.face is second


def test_closer_codes_are_found_and_shown(
    bench: Workbench, session: Session, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = quality.Preset(steps=4, lr=0.08, plain_lr=0.08)
    monkeypatch.setattr(quality, "FAR", dict.fromkeys(quality.FAR, short))
    face, seen = open_photo(bench, session, photo, "a.png"), list[Step]()
    first = face.w_plus
    assert steps_of(bench, face, "balanced") == 4
    found = improve(bench, session, face, "balanced", seen.append)
    assert found is not None
    assert [step.done for step in seen] == [0, 1, 2, 3, 4]
    assert not torch.equal(face.w_plus, first)
    assert torch.equal(face.w_plus[0], found.w_plus)
    assert torch.equal(ll.load_code(face.argument).w_plus, found.w_plus)
    assert ll.load_code(face.argument).losses.numel() == 5
    assert face.balanced


def test_the_closest_code_goes_on_from_the_closer_one(
    bench: Workbench, session: Session, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = quality.Preset(steps=2, lr=0.08, plain_lr=0.08)
    nearer: dict[quality.Quality, quality.Preset] = {
        "balanced": replace(short, steps=1),
        "best": replace(short, steps=4, refine="features"),
    }
    monkeypatch.setattr(quality, "FAR", {**quality.FAR, "balanced": short})
    monkeypatch.setattr(quality, "NEAR", {**quality.NEAR, **nearer})
    face, seen = open_photo(bench, session, photo, "a.png"), list[Step]()
    improve(bench, session, face, "balanced", lambda _: None)
    code = face.w_plus
    expected = steps_of(bench, face, "best")
    found = improve(bench, session, face, "best", seen.append)
    assert found is not None
    assert found.code.refinement is not None
    assert found.code.details["settings"]["start"] == "folder"
    assert seen[-1].done == expected == 3 + 30
    assert not any(torch.equal(a.face, b.face) for a, b in pairwise(seen[4:]))  # also beyond the code
    assert bench.subject(face).drawn_by
    assert not torch.equal(bench.preview(session, face, EditState()), bench.previewer.faces(code)[0])


def test_a_stopped_search_keeps_the_best_code(bench: Workbench, session: Session, photo: Path) -> None:
    face, seen = open_photo(bench, session, photo, "a.png"), list[int]()
    first = face.w_plus

    def stop_at_three(step: Step) -> None:
        seen.append(step.done)
        if step.done == 3:
            session.stop()

    assert improve(bench, session, face, "balanced", stop_at_three) is None
    assert seen == [0, 1, 2, 3]
    assert not torch.equal(face.w_plus, first)
    assert torch.equal(ll.load_code(face.argument).w_plus, face.w_plus[0])
    assert face.found
    assert not face.balanced


def test_a_stopped_search_leaves_a_code_with_a_refinement(
    bench: Workbench, session: Session, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refined = quality.Preset(steps=2, lr=0.08, plain_lr=0.08, refine="features")
    monkeypatch.setattr(quality, "FAR", dict.fromkeys(quality.FAR, refined))
    monkeypatch.setattr(quality, "NEAR", dict.fromkeys(quality.NEAR, refined))
    face = open_photo(bench, session, photo, "a.png")
    improve(bench, session, face, "balanced", lambda _: None)
    code, content = face.w_plus, Path(face.argument).read_bytes()
    assert improve(bench, session, face, "best", lambda step: session.stop() if step.done == 1 else None) is None
    assert torch.equal(face.w_plus, code)
    assert Path(face.argument).read_bytes() == content


def test_a_search_that_fails_changes_nothing(bench: Workbench, session: Session, photo: Path) -> None:
    face = open_photo(bench, session, photo, "a.png")
    code, content = face.w_plus, Path(face.argument).read_bytes()

    def fail_at_two(step: Step) -> None:
        if step.done == 2:
            raise NotFiniteError("the loss is not finite")

    with pytest.raises(NotFiniteError):
        improve(bench, session, face, "balanced", fail_at_two)
    assert torch.equal(face.w_plus, code)
    assert Path(face.argument).read_bytes() == content
    assert not face.found


def test_a_search_changes_nothing_that_was_opened_meanwhile(bench: Workbench, session: Session, photo: Path) -> None:
    face = open_photo(bench, session, photo, "a.png")
    kept = photo.with_name("a.npz")
    kept.write_bytes(Path(face.argument).read_bytes())

    def open_at_two(step: Step) -> None:
        if step.done == 2:
            open_code(bench, session, kept, "a.npz")

    assert improve(bench, session, face, "balanced", open_at_two) is None
    opened = session.opened
    assert opened is not face
    assert Path(opened.argument).read_bytes() == kept.read_bytes()
    assert torch.equal(opened.w_plus[0], ll.load_code(kept).w_plus)


def test_a_search_of_a_closed_page_leaves_nothing(bench: Workbench, session: Session, photo: Path) -> None:
    face = open_photo(bench, session, photo, "a.png")

    def close_at_two(step: Step) -> None:
        if step.done == 2:
            session.close()

    assert improve(bench, session, face, "balanced", close_at_two) is None
    assert session.face is None
    assert not session.folder.exists()


def test_codes_are_opened_with_and_without_their_photo(
    bench: Workbench, session: Session, photo: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept.npz"
    kept.write_bytes(Path(open_photo(bench, session, photo, "a.png").argument).read_bytes())
    face = open_code(bench, session, kept, "kept.npz")
    assert bench.subject(face).origin is not None
    other = Sessions(tmp_path).get("two")
    alone = open_code(bench, other, kept, "kept.npz")
    assert bench.subject(alone).origin is None
    (tmp_path / "bad.npz").write_bytes(b"nonsense")
    with pytest.raises(UserError, match=r"^kept\.npz: not a code file"):
        open_code(bench, other, tmp_path / "bad.npz", "kept.npz")
    assert other.face is alone
    assert Path(alone.argument).read_bytes() == kept.read_bytes()


def test_a_search_goes_on_from_an_opened_code(bench: Workbench, session: Session, photo: Path) -> None:
    face, seen = open_photo(bench, session, photo, "a.png"), list[torch.Tensor]()
    improve(bench, session, face, "balanced", lambda step: session.stop() if step.done == 5 else None)
    kept = photo.with_name("kept.npz")
    kept.write_bytes(Path(face.argument).read_bytes())
    opened = open_code(bench, session, kept, "kept.npz")

    def first_alone(_: Step) -> None:
        seen.append(opened.w_plus)
        session.stop()

    improve(bench, session, opened, "balanced", first_alone)
    assert torch.equal(seen[0][0], ll.load_code(kept).w_plus)


def test_random_faces_are_edited_and_animated(bench: Workbench, session: Session) -> None:
    face, frames = open_random(bench, session, 7), list[int]()
    assert strip(bench, session, face, STATE).shape[1] == 3
    path = video(bench, session, face, STATE, "gif", lambda done, _: frames.append(done))
    assert path.read_bytes().startswith(b"GIF89a")
    assert frames == list(range(1, 61))
    with pytest.raises(UserError, match="move a slider"):
        strip(bench, session, face, EditState())
    reconstruction, *_ = edited_files(bench, session, face, EditState())
    assert reconstruction.name == "seed-7-reconstruction.png"


def test_an_animation_can_be_stopped(bench: Workbench, session: Session) -> None:
    face = open_random(bench, session, 7)
    with pytest.raises(Stopped):
        video(bench, session, face, STATE, "gif", lambda done, _: session.stop() if done == 3 else None)
    assert not list(face.place.glob("*.gif"))
    with bench.turns.long():  # which it has given back
        pass


def test_restricted_directions_may_be_forgotten_while_they_are_computed(
    bench: Workbench, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = session.directions["sefa0"]
    session.use({"sefa0": own, "again": own})

    def forgetting(*arguments: Any) -> Any:  # noqa: ANN401
        session.restricted.clear()  # as another thread may do at any time
        return restricted(*arguments)

    monkeypatch.setattr("latentloop.studio.workbench.restricted", forgetting)
    applied = bench.applied(session, EditState({"sefa0": 1.0, "again": 2.0}))
    assert [strength for _, strength in applied.edits] == [1.0, 2.0]


def test_a_direction_is_not_taken_for_an_earlier_one_of_its_name(bench: Workbench, session: Session) -> None:
    first = bench.applied(session, STATE).edits[0][0]
    opposite = replace(first, vector=-first.vector)
    session.directions = {"sefa0": OwnDirection("other:sefa0", opposite)}
    assert torch.equal(bench.applied(session, STATE).edits[0][0].vector, -first.vector)


def test_directions_that_were_removed_change_nothing(bench: Workbench, session: Session) -> None:
    face = open_random(bench, session, 7)
    session.directions = {}
    assert torch.equal(bench.preview(session, face, STATE), bench.preview(session, face, EditState()))


def test_faces_are_mixed_and_morphed(bench: Workbench, session: Session, photo: Path) -> None:
    one, two = bench.read("seed:1", None).w_plus, code_in_photo(bench, photo, "a.png")
    assert torch.equal(mixed(bench, one, two, "all", 1.0), mixed(bench, two, one, "all", 0.0))
    assert not torch.equal(mixed(bench, one, two, "coarse", 1.0), mixed(bench, one, two, "all", 1.0))
    codes = torch.cat([one, two, one])
    torch.testing.assert_close(between(bench, codes, 0.5), between(bench, two.repeat(2, 1, 1), 0.0))
    assert torch.equal(between(bench, codes, 0.0), between(bench, codes, 1.0))
    path = morph_video(bench, session, torch.cat([one, two]), "gif", lambda *_: None)
    assert path.read_bytes().startswith(b"GIF89a")


def test_unusable_uploads_are_named_as_the_user_knows_them(bench: Workbench, session: Session, tmp_path: Path) -> None:
    (tmp_path / "a1b2").write_text("no picture")
    with pytest.raises(UserError, match=r"^holiday\.jpg: not an image"):
        open_photo(bench, session, tmp_path / "a1b2", "holiday.jpg")
    with pytest.raises(UserError, match="choose a photo"):
        _ = session.opened
    with pytest.raises(UserError, match="choose a photo"):
        improve(bench, session, open_random(bench, session, 1), "balanced", lambda _: None)


def test_two_threads_share_a_workbench(bench: Workbench, tmp_path: Path) -> None:
    sessions, errors = Sessions(tmp_path), list[BaseException]()

    def use(key: str, seed: int) -> None:
        try:
            session = sessions.get(key)
            face, alone = open_random(bench, session, seed), bench.read(f"seed:{seed}", None).w_plus
            for _ in range(20):
                assert torch.equal(face.w_plus, alone)
                bench.preview(session, face, EditState())
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=use, args=(str(i), i)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors

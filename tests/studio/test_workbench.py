"""The studio's computations, with a small random generator that draws no faces."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import latentloop as ll
from latentloop.embedding import quality
from latentloop.errors import UserError
from latentloop.images import read_image, write_png
from latentloop.photo_editing import edit_files
from latentloop.photo_editing.subject_options import SubjectOptions
from latentloop.studio.history import EditState
from latentloop.studio.improving import Step, improve, steps_of
from latentloop.studio.making import between, edited_files, mixed, morph_video, strip, video
from latentloop.studio.opening import code_in_photo, open_code, open_photo, open_random, plain_name
from latentloop.studio.session import OpenFace, OwnDirection, Session, Sessions
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
def session(tmp_path: Path) -> Session:
    return Sessions(tmp_path).get("one")


@pytest.fixture
def photo(generator: Path, small_photos: SmallPhotos) -> Path:
    return small_photos(generator, 1) / "0.png"


def with_direction(bench: Workbench, session: Session) -> None:
    path = session.folder / "sefa.safetensors"
    find_by_sefa(bench, path, 2, "all")
    session.directions = {"sefa0": f"{path}:sefa0"}


def test_a_photo_is_opened_edited_and_saved_as_the_command_does(
    bench: Workbench, session: Session, photo: Path, tmp_path: Path
) -> None:
    opened = open_photo(bench, session, photo, "My photo!.PNG")
    assert opened.path.name == "My_photo.png"
    assert look(bench, session).shape == (1, 3, 32, 32)
    with_direction(bench, session)
    assert not torch.equal(bench.preview(session, STATE), bench.preview(session, EditState()))
    picture, face, code = edited_files(bench, session, STATE)
    codes, out = Path(str(session.argument)), tmp_path / "out"
    subjects = SubjectOptions(generator=str(bench.model.components.generator_file), device="cpu", photos=opened.path)
    assert edit_files([codes], {session.directions["sefa0"]: 1.5}, out, subjects=subjects)
    assert picture.read_bytes() == (out / picture.name).read_bytes()
    assert face.read_bytes() == (out / "faces" / face.name).read_bytes()
    assert torch.equal(ll.load_code(code).w_plus, ll.load_code(out / code.name).w_plus)
    shown = bench.picture(session, STATE).picture
    assert np.array_equal(ll_pixels(shown, tmp_path), read_image(picture).numpy())


def ll_pixels(image: torch.Tensor, folder: Path) -> np.ndarray:
    write_png(folder / "shown.png", image)
    return read_image(folder / "shown.png").numpy()


def test_a_photo_that_is_not_square_is_cut(bench: Workbench, session: Session, tmp_path: Path) -> None:
    write_png(tmp_path / "wide.png", torch.rand(1, 3, 40, 60) * 2 - 1)
    opened = open_photo(bench, session, tmp_path / "wide.png", "wide.jpg")
    assert opened.image.shape == (1, 3, 40, 40)
    assert look(bench, session).shape == (1, 3, 32, 32)


def test_closer_codes_are_found_and_shown(
    bench: Workbench, session: Session, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = quality.Preset(steps=4, lr=0.08, plain_lr=0.08)
    monkeypatch.setattr(quality, "FAR", dict.fromkeys(quality.FAR, short))
    open_photo(bench, session, photo, "a.png")
    look(bench, session)
    first, seen = session.w_plus, list[Step]()
    assert steps_of(bench, session, "balanced") == 4
    found = improve(bench, session, "balanced", seen.append)
    assert found is not None
    assert [step.done for step in seen] == [0, 1, 2, 3, 4]
    assert session.w_plus is not None
    assert not torch.equal(session.w_plus, torch.as_tensor(first))
    assert torch.equal(torch.as_tensor(session.w_plus)[0], found.w_plus)
    assert torch.equal(ll.load_code(str(session.argument)).w_plus, found.w_plus)
    assert ll.load_code(str(session.argument)).losses.numel() == 5
    assert session.searched


def test_the_closest_code_goes_on_from_the_closer_one(
    bench: Workbench, session: Session, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = quality.Preset(steps=2, lr=0.08, plain_lr=0.08)
    monkeypatch.setattr(quality, "FAR", {**quality.FAR, "balanced": short})
    open_photo(bench, session, photo, "a.png")
    look(bench, session)
    improve(bench, session, "balanced", lambda _: None)
    code, seen = session.w_plus, list[int]()
    expected = steps_of(bench, session, "best")
    found = improve(bench, session, "best", lambda step: seen.append(step.done))
    assert found is not None
    assert found.code.refinement is not None
    assert torch.equal(torch.as_tensor(session.w_plus), torch.as_tensor(code))
    assert seen[-1] == expected == 30
    assert bench.subject(session).drawn_by
    assert not torch.equal(bench.preview(session, EditState()), bench.previewer.faces(torch.as_tensor(code))[0])


def test_a_stopped_search_keeps_the_best_code(bench: Workbench, session: Session, photo: Path) -> None:
    open_photo(bench, session, photo, "a.png")
    look(bench, session)
    first, seen = session.w_plus, list[int]()

    def stop_at_three(step: Step) -> None:
        seen.append(step.done)
        if step.done == 3:
            session.stop()

    assert improve(bench, session, "balanced", stop_at_three) is None
    assert seen == [0, 1, 2, 3]
    assert not torch.equal(torch.as_tensor(session.w_plus), torch.as_tensor(first))
    assert torch.equal(ll.load_code(str(session.argument)).w_plus, torch.as_tensor(session.w_plus)[0])


def test_a_search_for_a_photo_that_is_gone_changes_nothing(bench: Workbench, session: Session, photo: Path) -> None:
    open_photo(bench, session, photo, "a.png")
    look(bench, session)

    def close_at_two(step: Step) -> None:
        if step.done == 2:
            session.close()

    assert improve(bench, session, "balanced", close_at_two) is None
    assert session.w_plus is None
    assert not session.folder.exists()


def test_codes_are_opened_with_and_without_their_photo(
    bench: Workbench, session: Session, photo: Path, tmp_path: Path
) -> None:
    open_photo(bench, session, photo, "a.png")
    look(bench, session)
    kept = tmp_path / "kept.npz"
    kept.write_bytes(Path(str(session.argument)).read_bytes())
    assert open_code(bench, session, kept, "kept.npz")
    assert bench.subject(session).origin is not None
    other = Sessions(tmp_path).get("two")
    assert not open_code(bench, other, kept, "kept.npz")
    assert bench.subject(other).origin is None
    (tmp_path / "bad.npz").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="bad"):
        open_code(bench, other, tmp_path / "bad.npz", "bad.npz")
    assert bench.subject(other).name == "kept"  # what was open stays


def test_random_faces_are_edited_and_animated(bench: Workbench, session: Session) -> None:
    open_random(bench, session, 7)
    with_direction(bench, session)
    assert strip(bench, session, STATE).shape[1] == 3
    frames = list[int]()
    path = video(bench, session, STATE, "gif", lambda done, _: frames.append(done))
    assert path.read_bytes().startswith(b"GIF89a")
    assert frames == list(range(1, 61))
    with pytest.raises(UserError, match="move a slider"):
        strip(bench, session, EditState())
    reconstruction, *_ = edited_files(bench, session, EditState())
    assert reconstruction.name == "seed-7-reconstruction.png"


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
        bench.preview(session, EditState())
    with pytest.raises(UserError, match="choose a photo"):
        improve(bench, session, "balanced", lambda _: None)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("my face.JPG", "my_face.jpg"),
        (".png", "png"),
        ("a" * 300 + ".png", "a" * 60 + ".png"),
        ("...", "photo"),
        ("x.p\n/ng", "ng"),
        ("Ünïcode.webp", "Ünïcode.webp"),
    ],
)
def test_names_of_uploads_are_made_safe(name: str, plain: str) -> None:
    assert plain_name(name) == plain


def test_two_threads_share_a_workbench(bench: Workbench, tmp_path: Path) -> None:
    sessions, errors = Sessions(tmp_path), list[BaseException]()

    def use(key: str, seed: int) -> None:
        try:
            session = sessions.get(key)
            open_random(bench, session, seed)
            alone = bench.read(f"seed:{seed}", None).w_plus
            for _ in range(20):
                assert torch.equal(torch.as_tensor(session.w_plus), alone)
                bench.preview(session, EditState())
        except BaseException as error:  # noqa: BLE001 - told below
            errors.append(error)

    threads = [threading.Thread(target=use, args=(str(i), i)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors

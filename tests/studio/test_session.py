from pathlib import Path

import pytest
import torch

from latentloop.editing import Direction
from latentloop.errors import UserError
from latentloop.studio.history import EditState
from latentloop.studio.session import OpenFace, OwnDirection, Sessions, Stopped
from latentloop.studio.sliders import OWN, state_of, values_of


def test_sessions_are_apart_and_take_their_files_along(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    one, two = sessions.get("one"), sessions.get("two")
    assert sessions.get("one") is one
    assert one.folder != two.folder
    assert one.folder.stat().st_mode & 0o077 == 0  # nobody else's
    (one.folder / "photo.png").write_bytes(b"mine")
    one.begin(OpenFace(one.new_place(), "seed:1", torch.zeros(1, 4, 8)))
    assert two.face is None
    with one.work() as stopped:
        sessions.close("one")
        assert stopped.is_set()
    assert not one.folder.exists()
    assert one.face is None
    with pytest.raises(UserError, match="was closed"):
        sessions.get("one")
    assert two.folder.exists()
    sessions.close("one")  # closed twice, as when a page is left and then its connection ends
    assert len(sessions) == 1


def test_new_work_ends_what_went_on(tmp_path: Path) -> None:
    session = Sessions(tmp_path).get("one")
    with session.work() as first, session.work() as second:
        assert first.is_set()
        assert not second.is_set()
        session.stop()
        assert second.is_set()


def test_what_fails_after_its_end_was_asked_for_is_no_error(tmp_path: Path) -> None:
    session = Sessions(tmp_path).get("one")

    def leave() -> None:
        session.begin(None)
        (session.folder / "deleted.png").read_bytes()

    with pytest.raises(Stopped), session.work():
        leave()
    with pytest.raises(UserError, match="no face"), session.work():
        raise UserError("no face")


def test_an_edit_loses_the_directions_that_are_gone(tmp_path: Path) -> None:
    session = Sessions(tmp_path).get("one")
    direction = Direction("sefa0", torch.zeros(8), (0,), 4, "", "")
    mine, new = (OwnDirection(f"{file}:sefa0", direction) for file in "ab")
    session.use({"mine": mine, "sefa0": mine})
    session.begin(OpenFace(session.new_place(), "seed:1", torch.zeros(1, 4, 8)))
    face = session.opened
    face.shown = EditState({"smile": 1.0, "mine": 2.0, "sefa0": 3.0}, ("age",))
    face.history.push(face.shown)
    session.use({"mine": mine, "sefa0": new})  # of the same name, but another one
    assert face.shown == face.history.state == EditState({"smile": 1.0, "mine": 2.0}, ("age",))
    session.use({})
    assert face.shown == face.history.state == EditState({"smile": 1.0}, ("age",))


def test_sliders_are_read_and_set(tmp_path: Path) -> None:
    session = Sessions(tmp_path).get("one")
    direction = Direction("sefa0", torch.zeros(8), (0,), 4, "", "")
    session.directions = {"sefa0": OwnDirection("f:sefa0", direction)}
    names = ["smile", "age"]
    values = [1.2000000001, 0, -0.5, *[0.0] * (OWN - 1), ["age", "smile", "nonsense"]]
    state = state_of(session, names, values)
    assert state == EditState({"smile": 1.2, "sefa0": -0.5}, ("age",))  # what is changed cannot be kept
    assert values_of(session, names, state) == [1.2, 0, -0.5, *[0.0] * (OWN - 1)]


def test_the_page_used_least_recently_is_closed_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sessions, "MOST", 2)
    sessions = Sessions(tmp_path)
    one, two = sessions.get("one"), sessions.get("two")
    sessions.get("one")
    sessions.get("three")
    assert (one.folder.exists(), two.folder.exists(), len(sessions)) == (True, False, 2)

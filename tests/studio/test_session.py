from pathlib import Path

import torch

from latentloop.studio.history import EditState
from latentloop.studio.session import Sessions
from latentloop.studio.sliders import OWN, state_of, values_of


def test_sessions_are_apart_and_take_their_files_along(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    one, two = sessions.get("one"), sessions.get("two")
    assert sessions.get("one") is one
    assert one.folder != two.folder
    assert one.folder.stat().st_mode & 0o077 == 0  # nobody else's
    (one.folder / "photo.png").write_bytes(b"mine")
    one.take("code.npz", torch.zeros(1, 4, 8))
    assert two.w_plus is None
    with one.work() as stopped:
        sessions.close("one")
        assert stopped.is_set()
    assert not one.folder.exists()
    assert one.w_plus is None
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


def test_sliders_are_read_and_set(tmp_path: Path) -> None:
    session = Sessions(tmp_path).get("one")
    session.directions = {"sefa0": "f:sefa0"}
    names = ["smile", "age"]
    values = [1.2000000001, 0, -0.5, *[0.0] * (OWN - 1), ["age", "smile", "nonsense"]]
    state = state_of(session, names, values)
    assert state == EditState({"smile": 1.2, "sefa0": -0.5}, ("age",))  # what is changed cannot be kept
    assert values_of(session, names, state) == [1.2, 0, -0.5, *[0.0] * (OWN - 1)]

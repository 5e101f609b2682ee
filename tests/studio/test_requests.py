from errno import ENOSPC
from os import strerror
from pathlib import Path

import pytest

from latentloop.errors import NotFiniteError, UserError
from latentloop.studio.session import Sessions

gradio = pytest.importorskip("gradio")
from latentloop.studio.requests import NO_MEMORY, on_the_page, uploaded  # noqa: E402 - needs Gradio


def test_only_uploads_are_taken(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    sessions = Sessions(root)
    (root / "abc").mkdir()
    (root / "abc" / "face.png").write_bytes(b"")
    (tmp_path / "secret.png").write_bytes(b"")
    (root / "abc" / "link.png").symlink_to(tmp_path / "secret.png")
    private = sessions.get("other").folder / "photo.png"
    private.write_bytes(b"")
    session = sessions.get("one")
    (root / "abc" / "session-1.png").write_bytes(b"")
    assert uploaded(sessions, session, str(root / "abc" / "session-1.png"))[1] == "session-1.png"
    told = {"path": str(root / "abc" / "face.png"), "orig_name": "my face.png"}
    assert uploaded(sessions, session, told) == (root / "abc" / "face.png", "my face.png")
    assert uploaded(sessions, session, told["path"]) == (root / "abc" / "face.png", "face.png")
    refused: list[object] = [None, {}, {"path": 3}, {"path": "/etc/passwd"}, {"path": str(root / "abc")}]
    refused += [{"path": str(path)} for path in (tmp_path / "secret.png", private, root / "abc" / "link.png")]
    refused += [{"path": f"{root}/abc/../../secret.png"}, [told]]
    for payload in refused:
        with pytest.raises(UserError, match="did not arrive"):
            uploaded(sessions, session, payload)


SMALLER = "find the code with latentloop embed and a smaller --lr, and open it here"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UserError("a.jpg: no face found"), "a.jpg: no face found"),
        (MemoryError(), NO_MEMORY),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), NO_MEMORY),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), NO_MEMORY),
        (OSError("Cannot allocate memory"), NO_MEMORY),
        (NotFiniteError("the loss is not finite"), f"the loss is not finite; {SMALLER}"),
        (OSError(ENOSPC, strerror(ENOSPC)), "a file cannot be used: No space left on device"),
        (OSError("broken data stream"), "a file cannot be used: broken data stream"),
    ],
    ids=str,
)
def test_errors_become_sentences(error: Exception, sentence: str) -> None:
    with pytest.raises(gradio.Error) as raised, on_the_page():
        raise error
    assert (raised.value.message, raised.value.print_exception) == (sentence, False)


def test_an_error_of_the_program_stays_one() -> None:
    with pytest.raises(RuntimeError, match="shapes do not fit"), on_the_page():
        raise RuntimeError("shapes do not fit")


def test_what_a_file_says_is_no_part_of_the_page() -> None:
    with pytest.raises(gradio.Error) as raised, on_the_page():
        raise UserError("a.npz: its photo, <img src=x onerror=alert(1)>, is not there")
    assert "<img" not in raised.value.message
    assert "&lt;img" in raised.value.message


def test_uploads_go_with_their_session_unless_another_one_has_them(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    both, mine = tmp_path / "a" / "both.png", tmp_path / "b" / "mine.png"
    for path in (both, mine):
        path.parent.mkdir()
        path.write_bytes(b"")
    uploaded(sessions, sessions.get("one"), str(mine))
    for key in ("one", "two"):
        uploaded(sessions, sessions.get(key), str(both))
    sessions.close("one")
    assert (both.exists(), mine.exists()) == (True, False)
    sessions.close("two")
    assert not both.exists()

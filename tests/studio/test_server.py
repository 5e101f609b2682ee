import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import filelock
import pytest

from latentloop.cli import main
from latentloop.studio.options import StudioOptions
from latentloop.studio.server import LOCK, PREFIX, Guarded, temporary_root


def test_temporary_files_go_with_the_server_and_those_of_killed_ones_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, used, foreign = (tmp_path / name for name in (f"{PREFIX}left", f"{PREFIX}used", "elsewhere"))
    for folder in (left, used, foreign):
        folder.mkdir()
        (folder / "photo.jpg").write_bytes(b"")
    (tmp_path / f"{PREFIX}link").symlink_to(foreign)
    with filelock.FileLock(used / LOCK), temporary_root() as root:
        assert root.is_dir()
        assert root.parent == tmp_path
        assert not left.exists()
        assert (used / "photo.jpg").exists()
        assert (foreign / "photo.jpg").exists()
    assert not root.exists()


def test_every_answer_carries_the_policy() -> None:
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401, ARG001
        await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
        await send({"type": "http.response.body", "body": b"x"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Guarded(app)({"type": "http"}, send, send))
    headers = dict(sent[0]["headers"])
    assert headers[b"a"] == b"b"
    assert b"default-src 'self'" in headers[b"content-security-policy"]
    assert sent[1] == {"type": "http.response.body", "body": b"x"}


@pytest.mark.parametrize("wrong", [{"port": 0}, {"port": 70000}, {"max_upload": 0}, {"max_pixels": 0}])
def test_options_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        StudioOptions(**wrong)  # type: ignore[arg-type]


def test_without_gradio_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["studio", "--no-browser"]) == 2
    assert capsys.readouterr().err == "latentloop: the studio needs Gradio: pip install 'latentloop[web]'\n"

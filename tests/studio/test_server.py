import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import getproxies, proxy_bypass

import filelock
import pytest

from latentloop.cli import main
from latentloop.studio.options import StudioOptions
from latentloop.studio.server import LOCK, PREFIX, Guarded, pass_by_proxies, temporary_root


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


def test_proxies_are_not_asked_for_the_page_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example.com:3128")
    for name in ("no_proxy", "NO_PROXY"):  # both are set back in the end
        monkeypatch.setenv(name, "example.org")
    pass_by_proxies("localhost", "127.0.0.1")
    assert getproxies()["http"] == "http://proxy.example.com:3128"
    known = {host: bool(proxy_bypass(host)) for host in ("localhost", "127.0.0.1", "example.org", "a.com")}
    assert known == {"localhost": True, "127.0.0.1": True, "example.org": True, "a.com": False}


def test_without_proxies_the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latentloop.studio.server.getproxies_environment", dict)
    before = dict(os.environ)
    pass_by_proxies("localhost")
    assert dict(os.environ) == before


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

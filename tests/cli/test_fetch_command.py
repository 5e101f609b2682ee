import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pytest
import torch

from latentloop.cli.console import StageProgress
from latentloop.features import fetch
from latentloop.features.vgg import load_lpips_vgg, load_vgg16
from vgg_tensors import expect, save_both

Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process")
VGG16, LINEAR = "vgg16-397923af.pth", "vgg.pth"
INSTEAD = "try again, or get it elsewhere and name your copy; see --linear"


@dataclass
class Web:
    """A server on this computer: what it has, what it was asked for, and how it misbehaves."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    promised: int = 0  # bytes more than there are
    delay: float = 0.0  # seconds before an answer


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.asked.append(self.path[1:])
            time.sleep(web.delay)
            content = web.files.get(self.path[1:])
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) + web.promised))
            self.end_headers()
            with suppress(ConnectionError):  # of who has had enough
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        web.address = f"http://127.0.0.1:{server.server_port}"
        yield web
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for what is fetched, which is not there yet."""
    monkeypatch.setenv("LATENTLOOP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def sources(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The authors' files, which the server has, too, in the place of the real ones."""
    paths = save_both(tmp_path)
    expect(monkeypatch, *paths)
    for name, path in zip(("VGG16", "LINEAR"), paths, strict=True):
        web.files[path.name] = path.read_bytes()
        source = replace(getattr(fetch, name), url=f"{web.address}/{path.name}", size=path.stat().st_size)
        monkeypatch.setattr(fetch, name, source)
    monkeypatch.setattr(fetch, "https_only", lambda: build_opener(ProxyHandler({})))
    return paths


@pytest.mark.usefixtures("sources")
def test_fetch_makes_the_file_that_the_networks_are_loaded_from_once(
    run: Run, web: Web, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(StageProgress, "show", lambda _, name, *bytes_: shown.update({name: bytes_}))
    target = cache / "vgg16.safetensors"
    assert run("fetch", "vgg16") == (0, [f"{target}: 56.1 MiB"], [])
    assert list(cache.iterdir()) == [target]
    assert sorted(web.asked) == [LINEAR, VGG16]
    assert shown == {name: (len(content), len(content)) for name, content in web.files.items()}
    image = torch.zeros(1, 3, 32, 32)
    assert load_vgg16().features(image, ["conv1_1"])[0].shape == (1, 64, 32, 32)
    assert load_lpips_vgg()(image, image).item() == 0
    assert run("fetch", "vgg16") == (0, [f"{target}: already here; --force downloads it again"], [])
    assert len(web.asked) == 2
    target.write_text("old")
    assert run("fetch", "vgg16", "--force")[0] == 0
    assert len(web.asked) == 4
    assert target.stat().st_size > 50_000_000


def test_given_files_are_not_downloaded(run: Run, web: Web, sources: tuple[Path, Path], cache: Path) -> None:
    assert run("fetch", "vgg16", "--vgg16", sources[0], "--linear", sources[1])[0] == 0
    assert web.asked == []
    (cache / "vgg16.safetensors").unlink()
    assert run("fetch", "vgg16", "--vgg16", sources[0])[0] == 0
    assert web.asked == [LINEAR]
    assert all(path.is_file() for path in sources)


def failure(run: Run, cache: Path, *options: object) -> str:
    """What is said when fetching fails, which leaves nothing behind."""
    code, lines, errors = run("fetch", "vgg16", *options)
    assert (code, lines, len(errors)) == (2, [], 1)
    assert not cache.exists() or list(cache.iterdir()) == []
    return errors[0].removeprefix("latentloop: ")


@pytest.mark.usefixtures("sources")
def test_a_failed_download_is_one_line_and_leaves_nothing(
    run: Run, web: Web, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, whole = f"{web.address}/{LINEAR}", web.files[LINEAR]
    size = f"{len(whole):,}"
    del web.files[LINEAR]
    assert failure(run, cache) == f"{url}: not downloaded, HTTP Error 404: Not Found; {INSTEAD}"
    web.files[LINEAR], web.promised = whole[:-1000], 1000
    assert (
        failure(run, cache)
        == f"{url}: not downloaded, {len(whole) - 1000:,} bytes received, {size} expected; {INSTEAD}"
    )
    web.files[LINEAR], web.promised = whole + bytes(1_000_000), 0
    assert failure(run, cache) == f"{url}: not downloaded, {fetch.CHUNK:,} bytes received, {size} expected; {INSTEAD}"
    assert set(web.asked) == {LINEAR}
    monkeypatch.setattr(fetch, "TIMEOUT", 0.1)
    web.files[LINEAR], web.delay = whole, 0.5
    assert failure(run, cache) == f"{url}: not downloaded, timed out; {INSTEAD}"


@pytest.mark.usefixtures("sources")
def test_without_a_connection_one_is_told_that_files_may_be_given(
    run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        url = f"http://127.0.0.1:{server.server_port}/{VGG16}"
    monkeypatch.setattr(fetch, "VGG16", replace(fetch.VGG16, url=url))
    said = failure(run, cache)
    assert said.startswith(f"{url}: not downloaded, [Errno ")
    assert said.endswith(INSTEAD.replace("--linear", "--vgg16"))


@pytest.mark.usefixtures("sources")
def test_other_content_is_refused_and_vanishes(run: Run, web: Web, cache: Path) -> None:
    web.files[LINEAR] = bytes(len(web.files[LINEAR]))
    said = failure(run, cache)
    assert f"{LINEAR}: a different or damaged file: its sha256 is " in said


def test_a_given_file_that_is_missing_or_another_one_is_told(
    run: Run, sources: tuple[Path, Path], cache: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.pth"
    assert failure(run, cache, "--vgg16", missing, "--linear", sources[1]) == f"{missing}: no such file or folder"
    swapped = failure(run, cache, "--vgg16", sources[1], "--linear", sources[0])
    assert swapped.startswith(f"{sources[1]}: a different or damaged file: its sha256 is ")


@pytest.mark.usefixtures("sources")
def test_an_interrupted_download_leaves_what_was_there(run: Run, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.mkdir()
    old = cache / "vgg16.safetensors"
    old.write_text("old")
    there: list[str] = []

    def interrupt(_: object, name: str, done: int, __: int) -> None:
        if name == VGG16 and done > 1_000_000:
            there.extend(path.name for path in cache.rglob("*.pth"))
            raise KeyboardInterrupt

    monkeypatch.setattr(StageProgress, "show", interrupt)
    code, lines, errors = run("fetch", "vgg16", "--force")
    assert (code, lines, errors) == (130, [], ["latentloop: interrupted; finished files are kept"])
    assert sorted(there) == [LINEAR, VGG16]
    assert list(cache.iterdir()) == [old]
    assert old.read_text() == "old"


@pytest.mark.usefixtures("sources")
def test_a_folder_that_cannot_be_made_is_told(run: Run, cache: Path) -> None:
    cache.write_text("in the way")
    code, lines, errors = run("fetch", "vgg16")
    assert (code, lines) == (2, [])
    assert errors == [f"latentloop: {cache}: cannot write here: File exists"]


def test_nothing_but_https_is_opened(web: Web) -> None:
    for address in (web.address, "ftp://127.0.0.1", Path(__file__).as_uri()):
        with pytest.raises(URLError, match="unknown url type"):
            fetch.https_only().open(address)
    assert web.asked == []
    assert all(source.url.startswith("https://") for source in (fetch.VGG16, fetch.LINEAR))


def test_help_tells_sizes_licences_and_what_to_do_without_a_connection(run: Run) -> None:
    code, lines, errors = run("fetch", "--help")
    assert (code, errors) == (0, [])
    told = "\n".join(lines)
    for words in (
        "553 MB",
        "59 MB",
        "BSD-3-Clause",
        "BSD-2-Clause",
        "LATENTLOOP_CACHE",
        "--vgg16",
        "--linear",
        "--force",
    ):
        assert words in told

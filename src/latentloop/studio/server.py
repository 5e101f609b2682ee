"""Server of the studio: opens the page, and cleans up at its end."""

import gc
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies_environment

import filelock

from latentloop.errors import UserError
from latentloop.extras import require_extra
from latentloop.model import Model, load
from latentloop.studio.options import StudioOptions
from latentloop.studio.session import Sessions
from latentloop.studio.turns import Turns
from latentloop.studio.workbench import Workbench

if TYPE_CHECKING:
    import gradio as gr

PREFIX, LOCK = "latentloop-studio-", "in-use"
"""Prefix of folders for temporary files, and the file in each that is locked while it is in use."""
PATIENCE = 0.3
"""Seconds that open pages get when the server ends."""
EVERYBODY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
"""Addresses that listen on all interfaces."""
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-ancestors 'self'; base-uri 'self'; form-action 'self'"
)
"""Content security policy: the browser contacts no other hosts. Gradio's inline scripts need the unsafe entries."""
Message = dict[str, Any]
"""ASGI scope or message."""


class Guarded:
    """ASGI middleware that adds the content security policy and suppresses referrers."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """Answer a request with additional headers."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = {"content-security-policy": POLICY, "referrer-policy": "no-referrer"}
                headers = [(name.encode(), value.encode()) for name, value in extra.items()]
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        await self.app(scope, receive, guarded)


@contextmanager
def temporary_root() -> Iterator[Path]:
    """Create the folder of all temporary files, deleted with the server, and delete those of killed servers."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if left.is_dir() and not left.is_symlink():
            _delete_unused(left)
    root = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with filelock.FileLock(root / LOCK):
            yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _delete_unused(folder: Path) -> None:
    try:
        with filelock.FileLock(folder / LOCK, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)
    except (filelock.Timeout, OSError):  # in use, or another user's
        return


def serve(options: StudioOptions, say: Callable[[str], None]) -> None:
    """Serve the studio until it is interrupted.

    Args:
        options: Networks, and address of the page.
        say: Called with the page's address once it is available.

    Raises:
        UserError: Gradio is not installed, a network cannot be used, or the port is taken.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    require_extra("gradio", "the studio needs Gradio", "latentloop[web]")
    pass_by_proxies("localhost", "127.0.0.1", options.host)
    with temporary_root() as root:
        os.environ["GRADIO_TEMP_DIR"] = str(root)
        turns, sessions = Turns(), Sessions(root)
        with _no_collection():
            model = turns.soon(lambda: _model(options))
            from latentloop.studio.page import build_page  # imports Gradio, in parallel to loading the networks

            bench = Workbench(model.result(), options.max_pixels, turns)
            page = build_page(bench, sessions)
            address = _launch(page, options)
        turns.soon(bench.warm_up)  # in parallel to the browser's start; a faster user waits for it
        say(f"The studio: {address}  (Ctrl-C ends it)")
        try:
            with suppress(KeyboardInterrupt):
                threading.Event().wait()
        finally:
            sessions.close_all()
            _end(page)
            ended = turns.ended(PATIENCE)
    if not ended:
        os._exit(0)  # a computing thread cannot be stopped, and crashes an interpreter that shuts down around it


def pass_by_proxies(*hosts: str) -> None:
    """Exempt hosts from proxies that the environment sets: Gradio opens its own page to see that it is served."""
    proxies = getproxies_environment()
    if proxies:  # otherwise the system's settings hold, which a variable would switch off
        exempt = ",".join(filter(None, [proxies.get("no"), *hosts]))
        os.environ.update({"no_proxy": exempt, "NO_PROXY": exempt})


def _model(options: StudioOptions) -> Model:
    return load(options.generator, which=options.which, embedder=options.embedder, device=options.device)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Disable garbage collection while modules are imported, which saves a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _launch(page: "gr.Blocks", options: StudioOptions) -> str:
    """Start serving the page; returns its address."""
    import httpx

    from latentloop.studio.style import CSS, theme

    try:
        _, local, shared = page.launch(
            theme=theme(), css=CSS, **_launching(options), inbrowser=options.browser, prevent_thread_lock=True
        )
    except (OSError, ValueError, httpx.HTTPError) as error:
        # The port is taken, or Gradio's own request to the page fails.
        raise UserError(f"cannot serve the page on {options.host}: {error}", arguments="port") from error
    return str(shared or local)


def _end(page: "gr.Blocks") -> None:
    """Stop serving; pages that wait for work are cut off after `PATIENCE`, where Gradio alone waits five seconds."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it logs every connection that is cut
    cut = threading.Timer(PATIENCE, lambda: setattr(page.server, "force_exit", True))
    cut.start()
    page.close(verbose=False)
    cut.cancel()


def _launching(options: StudioOptions) -> dict[str, Any]:
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from latentloop.studio.edit_tab import EXAMPLES

    anywhere = options.share or options.host in EVERYBODY
    hosts = ["*"] if anywhere else ["localhost", "127.0.0.1", options.host]
    # Other host names are refused: a foreign page may resolve its own name to this address (DNS rebinding).
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts), Middleware(Guarded)]
    return {
        "server_name": options.host,
        "server_port": options.port,
        "share": options.share,
        "max_file_size": f"{options.max_upload}mb",
        "allowed_paths": [str(EXAMPLES)],
        "app_kwargs": {"middleware": middleware},
        "footer_links": [],
        "show_error": True,
        "quiet": True,
        "ssr_mode": False,
        "enable_monitoring": False,
        "pwa": False,
        "mcp_server": False,
    }

"""The server of the studio: it opens the page, and closes everything behind itself."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock

from latentloop.errors import UserError
from latentloop.extras import require_extra
from latentloop.model import load
from latentloop.studio.options import StudioOptions
from latentloop.studio.workbench import Workbench

PREFIX, LOCK = "latentloop-studio-", "in-use"
"""How folders for temporary files begin, and the file in each that is locked while it is in use."""
EVERYBODY = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; frame-ancestors 'self'; base-uri 'self'; form-action 'self'"
)
"""Content security policy: the browser asks nothing of other hosts. Gradio's scripts lie within the page."""
Message = dict[str, Any]


class Guarded:
    """An ASGI app whose every answer carries the policy, and tells other hosts nothing."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """Answer a request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = {"content-security-policy": POLICY, "referrer-policy": "no-referrer"}
                headers = [(name.encode(), value.encode()) for name, value in extra.items()]
                message = {**message, "headers": [*message.get("headers", []), *headers]}
            await send(message)

        await self.app(scope, receive, guarded)


@contextmanager
def temporary_root() -> Iterator[Path]:
    """Make the folder of all temporary files, which goes with the server; what killed servers left is deleted."""
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
    except (filelock.Timeout, OSError):  # in use, or somebody else's
        return


def serve(options: StudioOptions, say: Callable[[str], None]) -> None:
    """Open the studio, and serve it until it is interrupted.

    Args:
        options: Networks, and the place of the page.
        say: Called with the page's address once it is there.

    Raises:
        UserError: Gradio is not installed, a network cannot be used, or the port is taken.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    with temporary_root() as root:
        os.environ["GRADIO_TEMP_DIR"] = str(root)
        require_extra("gradio", "the studio needs Gradio", "'latentloop[web]'")
        with ThreadPoolExecutor(1, "networks") as thread:  # Gradio takes as long to read as the networks
            networks = thread.submit(_workbench, options)
            from latentloop.studio.page import build_page
            from latentloop.studio.session import Sessions
            from latentloop.studio.style import CSS, theme

            bench = networks.result()
        page = build_page(bench, Sessions(root))
        try:
            _, local, shared = page.launch(
                theme=theme(), css=CSS, **_launching(options), inbrowser=options.browser, prevent_thread_lock=True
            )
        except (OSError, ValueError) as error:  # the port is taken, or Gradio's own look at the page fails
            raise UserError(f"cannot serve the page on {options.host}: {error}", arguments="port") from error
        say(f"The studio: {shared or local}  (Ctrl-C ends it)")
        try:
            page.block_thread()
        finally:
            page.close(verbose=False)


def _workbench(options: StudioOptions) -> Workbench:
    """Read the networks, and draw with them once."""
    model = load(options.generator, which=options.which, embedder=options.embedder, device=options.device)
    bench = Workbench(model, options.max_pixels)
    bench.turns.quick(bench.warm_up)
    return bench


def _launching(options: StudioOptions) -> dict[str, Any]:
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from latentloop.studio.edit_tab import EXAMPLES

    anywhere = options.share or options.host in EVERYBODY
    hosts = ["*"] if anywhere else ["localhost", "127.0.0.1", options.host]
    # Another name for this address may be a foreign page that reaches for it (DNS rebinding).
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

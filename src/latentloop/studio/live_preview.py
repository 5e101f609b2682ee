"""Live preview of the face while a slider moves, on a faster path than Gradio's events."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from latentloop.studio.requests import EXPLAINED, explained
from latentloop.studio.session import NO_FACE, Sessions
from latentloop.studio.sliders import state_of
from latentloop.studio.views import described, empty, picture
from latentloop.studio.workbench import Workbench

SCRIPT = (Path(__file__).parent / "live_preview.js").read_text(encoding="utf-8")
"""JavaScript of the face component in the browser."""
MOVED = "(...values) => document.dispatchEvent(new CustomEvent('latentloop-moved', {detail: values}))"
"""JavaScript that passes on the values of all sliders when one has moved."""
Served = Callable[[list[object], gr.Request], Coroutine[None, None, str]]
"""Server function that the script calls as `server.preview`."""


@dataclass(frozen=True)
class LivePreview:
    """Draws faces at preview size while a slider moves."""

    bench: Workbench
    sessions: Sessions
    names: Sequence[str]
    """Names of the bundled directions, in the order of their sliders."""

    def shown(self, key: str, values: Sequence[object]) -> str:
        """Draw the face of a session with the current edit, as HTML.

        Args:
            key: Key of the session.
            values: Values of the sliders and boxes, as `state_of` reads them.
        """
        try:
            session = self.sessions.get(key)
            face, state = session.face, state_of(session, self.names, values)
            if face is None:
                return empty(NO_FACE)
            face.shown = state
            return picture(self.bench.preview(session, face, state), f"the face: {described(state.strengths)}")
        except EXPLAINED as error:
            return empty(explained(error))

    def served(self) -> Served:
        """Return the server function for the script."""

        async def preview(values: list[object], request: gr.Request) -> str:
            key = str((await request.json())["session_hash"])
            return await asyncio.wrap_future(self.bench.turns.soon(lambda: self.shown(key, values)))

        return preview

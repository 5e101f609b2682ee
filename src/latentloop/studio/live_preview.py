"""The face as it follows a slider, on a way of its own that is quicker than Gradio's events."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from latentloop.errors import UserError
from latentloop.studio.session import NO_FACE, Sessions
from latentloop.studio.sliders import state_of
from latentloop.studio.views import described, empty, picture
from latentloop.studio.workbench import Workbench

SCRIPT = (Path(__file__).parent / "live_preview.js").read_text(encoding="utf-8")
"""What the component of the face runs in the browser."""
MOVED = "(...values) => document.dispatchEvent(new CustomEvent('latentloop-moved', {detail: values}))"
"""What the browser does with the values of all sliders when one has moved."""
Served = Callable[[list[object], gr.Request], Coroutine[None, None, str]]
"""A function that the script calls as `server.preview`."""


@dataclass(frozen=True)
class LivePreview:
    """Draws faces small while a slider moves."""

    bench: Workbench
    sessions: Sessions
    names: Sequence[str]
    """Names of the bundled directions, in the order of their sliders."""

    def shown(self, key: str, values: Sequence[object]) -> str:
        """Draw the face of a session with what the sliders say, as HTML.

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
        except UserError as error:
            return empty(str(error))

    def served(self) -> Served:
        """Give the function that answers the script."""

        async def preview(values: list[object], request: gr.Request) -> str:
            key = str((await request.json())["session_hash"])
            return await asyncio.wrap_future(self.bench.turns.soon(lambda: self.shown(key, values)))

        return preview

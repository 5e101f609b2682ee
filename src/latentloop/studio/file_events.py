"""Files, strips and videos of an edit, as the tab "Edit" gives them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from latentloop.studio.edit_tab import EditTab
from latentloop.studio.making import AnimationKind, edited_files, strip, video
from latentloop.studio.requests import Updates, on_the_page, session_of
from latentloop.studio.session import Sessions
from latentloop.studio.streaming import newest
from latentloop.studio.views import animation, described, picture, status
from latentloop.studio.workbench import Workbench


@dataclass(frozen=True)
class FileEvents:
    """Answers to what users want to have of an edit; each gives new values by component."""

    bench: Workbench
    sessions: Sessions
    tab: EditTab

    def save(self, request: gr.Request) -> Updates:
        """Make the files of the edit."""
        session = session_of(self.sessions, request)
        with on_the_page():
            files = edited_files(self.bench, session, session.shown)
        return {self.tab.files: gr.File(value=[str(file) for file in files], visible=True)}

    def strip(self, request: gr.Request) -> Updates:
        """Draw the strip of the edit."""
        session = session_of(self.sessions, request)
        with on_the_page():
            image = strip(self.bench, session, session.shown)
        return {self.tab.shown: picture(image, f"from the opposite to all of {described(session.shown.strengths)}")}

    def mp4(self, request: gr.Request) -> Iterator[Updates]:
        """Make a video of the edit."""
        yield from self._animate(request, "mp4")

    def gif(self, request: gr.Request) -> Iterator[Updates]:
        """Make an animated GIF of the edit."""
        yield from self._animate(request, "gif")

    def _animate(self, request: gr.Request, kind: AnimationKind) -> Iterator[Updates]:
        session, tab, made = session_of(self.sessions, request), self.tab, list[Path]()

        def work(tell: Callable[[str], None]) -> None:
            def on_frame(done: int, count: int) -> None:
                tell(f"Frame {done} of {count} ...")

            made.append(video(self.bench, session, session.shown, kind, on_frame))

        with on_the_page():
            for text in newest(work):
                yield {tab.said: status(text)}
        shown = animation(made[0], f"from the face as it is to {described(session.shown.strengths)} and back")
        yield {
            tab.said: status("The animation is below."),
            tab.shown: shown,
            tab.files: gr.File(value=[str(made[0])], visible=True),
        }

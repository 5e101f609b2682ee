"""Event handlers of the tab "Edit" for files, strips and videos of an edit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from latentloop.studio.edit_tab import EditTab
from latentloop.studio.making import AnimationKind, OnFrame, edited_files, strip, video
from latentloop.studio.requests import Updates, in_turn, on_the_page, session_of
from latentloop.studio.session import Session, Sessions, Stopped
from latentloop.studio.streaming import newest
from latentloop.studio.views import animation, described, picture, status
from latentloop.studio.workbench import Workbench


@dataclass(frozen=True)
class FileEvents:
    """Event handlers of downloads; each returns new values by component."""

    bench: Workbench
    sessions: Sessions
    tab: EditTab

    @in_turn
    def save(self, request: gr.Request) -> Updates:
        """Write the files of the edit for download."""
        session = session_of(self.sessions, request)
        with on_the_page():
            face = session.opened
            files = edited_files(self.bench, session, face, face.shown)
        return {self.tab.files: gr.File(value=[str(file) for file in files], visible=True)}

    @in_turn
    def strip(self, request: gr.Request) -> Updates:
        """Draw the edit at several strengths."""
        session = session_of(self.sessions, request)
        with on_the_page():
            face = session.opened
            image = strip(self.bench, session, face, face.shown)
        return {self.tab.shown: picture(image, f"from the opposite to all of {described(face.shown.strengths)}")}

    def mp4(self, request: gr.Request) -> Iterator[Updates]:
        """Render an MP4 of the edit."""
        yield from self._animate(request, "mp4")

    def gif(self, request: gr.Request) -> Iterator[Updates]:
        """Render an animated GIF of the edit."""
        yield from self._animate(request, "gif")

    def _animate(self, request: gr.Request, kind: AnimationKind) -> Iterator[Updates]:
        session, tab = session_of(self.sessions, request), self.tab
        with on_the_page():
            face = session.opened
            state, path = face.shown, list[Path]()

            def work(on_frame: OnFrame) -> None:
                path.append(video(self.bench, session, face, state, kind, on_frame))

            for text in frames_of(session, work):
                yield {tab.said: status(text), tab.stop: gr.Button(interactive=True)}
            done: Updates = {tab.said: status("Stopped."), tab.stop: gr.Button(interactive=False)}
            if session.face is not face:  # opening another one has stopped this, and says something else
                done = {tab.said: gr.skip()}
            elif path:
                what = f"from the face as it is to {described(state.strengths)} and back"
                done |= {tab.said: status("The animation is below."), tab.shown: animation(path[0], what)}
                done |= {tab.files: gr.File(value=[str(path[0])], visible=True)}
            yield done


def frames_of(session: Session, work: Callable[[OnFrame], None]) -> Iterator[str]:
    """Render an animation in a thread, and yield its progress; it ends early if the user stops it or leaves.

    Args:
        session: Session of the animation.
        work: Renders it, and calls its argument after each frame.
    """

    def told(tell: Callable[[str], None]) -> None:
        work(lambda done, count: tell(f"Frame {done} of {count} ..."))

    try:
        yield from newest(told)
    except Stopped:
        return
    except GeneratorExit:
        session.stop()
        raise

"""Event handlers of the tab "Edit" for the search for a closer code."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gradio as gr

from latentloop.embedding.quality import Quality
from latentloop.results import InvertedPhoto
from latentloop.studio.edit_tab import EditTab
from latentloop.studio.improving import Step, improve, steps_of
from latentloop.studio.requests import FAILED, Updates, on_the_page, session_of
from latentloop.studio.session import Sessions
from latentloop.studio.streaming import newest
from latentloop.studio.views import picture, progress, status
from latentloop.studio.workbench import Workbench


@dataclass(frozen=True)
class SearchEvents:
    """Event handlers of the search; each returns new values by component."""

    bench: Workbench
    sessions: Sessions
    tab: EditTab

    def first(self, request: gr.Request) -> Iterator[Updates]:
        """Search for a closer code of a face that was just opened; one that was searched is left as it is."""
        face = session_of(self.sessions, request).face
        if face and face.found:  # two photos opened one right after the other: both ask to search the second
            yield {self.tab.said: gr.skip()}
        else:
            yield from self.improve(request)

    def improve(self, request: gr.Request) -> Iterator[Updates]:
        """Search for a closer code, and show the progress."""
        yield from self._improve(request, "balanced")

    def best(self, request: gr.Request) -> Iterator[Updates]:
        """Search for the closest code, and for details beyond it."""
        yield from self._improve(request, "best")

    def _improve(self, request: gr.Request, quality: Quality) -> Iterator[Updates]:
        session, tab, found = session_of(self.sessions, request), self.tab, list[InvertedPhoto | None]()
        face = session.face
        if face is None or face.photo is None:
            yield {tab.said: gr.skip()}
            return
        steps = steps_of(self.bench, face, quality)
        # Files would have the code before the search, not the one that is shown.
        busy = {button: gr.Button(interactive=False) for button in (tab.better, tab.best, tab.save)}
        yield {tab.said: status("Searching for a closer code; you can move sliders meanwhile ..."), **busy}

        def work(tell: Callable[[tuple[str, str]], None]) -> None:
            def show(step: Step) -> None:
                tell((picture(step.face, "the face, coming closer"), progress(step.done, steps)))

            found.append(improve(self.bench, session, face, quality, show))

        with on_the_page():
            for shown, said in newest(work):
                if session.face is face:
                    # The stop button is enabled with the first step: before, there is nothing to stop.
                    yield {tab.face: shown, tab.said: said, tab.stop: gr.Button(interactive=True)}
        yield (
            (self.idle(request) | {tab.said: status(_summary(found[0]))})
            if session.face is face
            else {tab.said: gr.skip()}
        )

    def idle(self, request: gr.Request) -> Updates:
        """Offer files and another search."""
        face, tab = session_of(self.sessions, request).face, self.tab
        searchable = face is not None and face.photo is not None
        buttons = {button: gr.Button(interactive=searchable) for button in (tab.better, tab.best)}
        return {tab.stop: gr.Button(interactive=False), tab.save: gr.Button(interactive=face is not None), **buttons}

    def failed(self, request: gr.Request) -> Updates:
        """Say that a search or an animation failed, and offer another search."""
        return self.idle(request) | {self.tab.said: status(f"{FAILED}.")}

    def stop(self, request: gr.Request) -> None:
        """Stop the search; the best code so far is kept."""
        session_of(self.sessions, request).stop()


def _summary(found: InvertedPhoto | None) -> str:
    """Summarize the result of a search in a sentence."""
    if found is None:
        return "Stopped; the closest code so far is kept."
    lpips, identity = found.metrics["lpips_alex"], found.metrics.get("id")
    same = f", identity {identity:.2f} (1 is the same person)" if identity is not None else ""
    return f"Found in {found.seconds:.0f} s: LPIPS {lpips:.3f} (0 is identical to the photo){same}."

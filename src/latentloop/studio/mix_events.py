"""Event handlers of the tab "Mix and morph"."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
import torch
from torch import Tensor

from latentloop.errors import UserError
from latentloop.studio.file_events import frames_of
from latentloop.studio.making import AnimationKind, OnFrame, between, mixed, morph_video
from latentloop.studio.mix_tab import MixTab
from latentloop.studio.opening import SEEDS, code_in_photo
from latentloop.studio.requests import FAILED, Updates, in_turn, on_the_page, session_of, uploaded
from latentloop.studio.session import Session, Sessions
from latentloop.studio.views import animation, picture, row_of_faces, status
from latentloop.studio.workbench import Workbench

MOST = 6
"""Largest number of faces that can be added."""


@dataclass(frozen=True)
class MixEvents:
    """Event handlers of the tab; each returns new values by component."""

    bench: Workbench
    sessions: Sessions
    tab: MixTab

    @in_turn
    def add(self, request: gr.Request) -> Updates:
        """Add the face of the tab "Edit" with its current edit."""
        session = session_of(self.sessions, request)
        with on_the_page():
            face = session.opened
            w_plus = self.bench.applied(session, face.shown).apply(face.w_plus)
            self._put(session, [(Path(face.argument).stem.replace(":", " "), w_plus)])
            return self._tray(session)

    @in_turn
    def add_photos(self, request: gr.Request, payloads: object) -> Updates:
        """Add the largest face of each uploaded photo."""
        session = session_of(self.sessions, request)
        with on_the_page():
            given = payloads if isinstance(payloads, list) else [payloads]
            files = [uploaded(self.sessions, session, payload) for payload in given]
            self._put(session, [(Path(name).stem, code_in_photo(self.bench, path, name)) for path, name in files])
            return self._tray(session)

    @in_turn
    def add_random(self, request: gr.Request) -> Updates:
        """Add a random face to the tray."""
        session, seed = session_of(self.sessions, request), secrets.randbelow(SEEDS)
        with on_the_page():
            self._put(session, [(f"seed {seed}", self.bench.read(f"seed:{seed}", None).w_plus)])
            return self._tray(session)

    @in_turn
    def clear(self, request: gr.Request) -> Updates:
        """Remove all faces from the tray."""
        session = session_of(self.sessions, request)
        session.tray.clear()
        return self._tray(session)

    def _put(self, session: Session, faces: Sequence[tuple[str, Tensor]]) -> None:
        """Add faces under their names, numbered if these are taken."""
        if len(session.tray) + len(faces) > MOST:
            raise UserError(f"at most {MOST} faces fit; remove them first")
        for name, w_plus in faces:
            free = next(one for i in range(1, MOST + 2) if (one := _numbered(name, i)) not in session.tray)
            session.tray[free] = w_plus.detach()

    def _tray(self, session: Session) -> Updates:
        names, tab = list(session.tray), self.tab
        faces = [self.bench.previewer.faces(code)[0] for code in session.tray.values()]
        return {
            tab.said: status(f"{len(names)} of at most {MOST} faces."),
            tab.tray: row_of_faces(faces, names),
            tab.face: gr.Dropdown(choices=names, value=names[0] if names else None),
            tab.styles: gr.Dropdown(choices=names, value=names[1] if len(names) > 1 else None),
            tab.order: gr.Dropdown(choices=names, value=names[:3]),
        }

    @in_turn
    def mix(
        self, request: gr.Request, face: str | None, styles: str | None, layers: Sequence[str], strength: float
    ) -> str:
        """Draw a face with styles of another."""
        tray = session_of(self.sessions, request).tray
        with on_the_page():
            if face not in tray or styles not in tray:
                raise UserError("choose a face, and one whose styles it takes")
            if not layers:
                raise UserError("choose at least one kind of styles")
            image = mixed(self.bench, tray[face], tray[styles], ",".join(layers), float(strength))
        return picture(image, f"{face} with styles of {styles}")

    @in_turn
    def between(self, request: gr.Request, order: Sequence[str], way: float) -> str:
        """Draw the face at a position of the morph."""
        with on_the_page():
            codes = _codes(session_of(self.sessions, request), order)
            return picture(between(self.bench, codes, float(way)), f"{way:.0%} of the way")

    def mp4(self, request: gr.Request, order: Sequence[str]) -> Iterator[Updates]:
        """Render an MP4 of the morph."""
        yield from self._film(request, order, "mp4")

    def gif(self, request: gr.Request, order: Sequence[str]) -> Iterator[Updates]:
        """Render an animated GIF of the morph."""
        yield from self._film(request, order, "gif")

    def _film(self, request: gr.Request, order: Sequence[str], kind: AnimationKind) -> Iterator[Updates]:
        session, tab, path = session_of(self.sessions, request), self.tab, list[Path]()
        with on_the_page():
            codes = _codes(session, order)

            def work(on_frame: OnFrame) -> None:
                path.append(morph_video(self.bench, session, codes, kind, on_frame))

            for text in frames_of(session, work):
                yield {tab.said: status(text), tab.stop: gr.Button(interactive=True)}
            done: Updates = {tab.said: status("Stopped."), **self.idle()}
            if path:
                done |= {tab.said: status("The morph is below.")}
                done |= {tab.film: animation(path[0], "the faces, one into the next")}
                done |= {tab.files: gr.File(value=str(path[0]), visible=True)}
            yield done

    def idle(self) -> Updates:
        """Disable the stop button."""
        return {self.tab.stop: gr.Button(interactive=False)}

    def failed(self) -> Updates:
        """Say that an animation failed."""
        return {self.tab.said: status(f"{FAILED}."), **self.idle()}

    def stop(self, request: gr.Request) -> None:
        """Stop the animation that is being rendered."""
        session_of(self.sessions, request).stop()


def _numbered(name: str, i: int) -> str:
    return name if i == 1 else f"{name} ({i})"


def _codes(session: Session, order: Sequence[str]) -> Tensor:
    """Return the codes of faces, (K, num_ws, w_dim)."""
    chosen = [session.tray[name] for name in order or () if name in session.tray]
    if len(chosen) < 2:
        raise UserError("choose two faces or more")
    return torch.cat(chosen)

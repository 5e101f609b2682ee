"""A page as its events see it, without a browser; needs Gradio."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import latentloop as ll
from latentloop.studio.compare_tab import CompareEvents, CompareTab
from latentloop.studio.directions_tab import DirectionsEvents, DirectionsTab
from latentloop.studio.edit_events import EditEvents
from latentloop.studio.edit_tab import EditTab
from latentloop.studio.file_events import FileEvents
from latentloop.studio.live_preview import LivePreview
from latentloop.studio.mix_events import MixEvents
from latentloop.studio.mix_tab import MixTab
from latentloop.studio.opening_events import OpeningEvents
from latentloop.studio.search_events import SearchEvents
from latentloop.studio.session import Session, Sessions
from latentloop.studio.sliders import OWN
from latentloop.studio.workbench import Workbench


@dataclass(frozen=True)
class Asked:
    """Stands for Gradio's request, of which only the page's key is read."""

    session_hash: str = "one"

    async def json(self) -> dict[str, Any]:
        return {"session_hash": self.session_hash}


@dataclass(frozen=True)
class Layout:
    """The components of a page, which its events only name."""

    edit: EditTab
    mix: MixTab
    directions: DirectionsTab
    compare: CompareTab


def given(updates: dict[Any, Any], component: Any) -> dict[str, Any]:  # noqa: ANN401
    """What an answer says of a component."""
    return dict(updates[component].constructor_args)


class Page:
    """A page as its events see it."""

    def __init__(self, generator: Path, root: Path, layout: Layout) -> None:
        self.bench, self.sessions = Workbench(ll.load(generator, device="cpu")), Sessions(root)
        self.live = LivePreview(self.bench, self.sessions, [])
        self.tab, self.mix_tab = layout.edit, layout.mix
        both = self.bench, self.sessions
        self.opening, self.edits = OpeningEvents(*both, self.tab), EditEvents(*both, self.tab)
        self.search, self.files = SearchEvents(*both, self.tab), FileEvents(*both, self.tab)
        self.mix, self.compare = MixEvents(*both, self.mix_tab), CompareEvents(*both, layout.compare)
        self.directions = DirectionsEvents(*both, layout.directions, self.tab.own)
        self.asked: Any = Asked()

    @property
    def session(self) -> Session:
        return self.sessions.get("one")

    def upload(self, photo: Path) -> dict[str, str]:
        """Put a photo where uploads go."""
        path = self.sessions.root / "upload" / photo.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(photo.read_bytes())
        return {"path": str(path), "orig_name": photo.name}

    def moved(self, *strengths: float) -> list[object]:
        """What the sliders of the user's own directions say."""
        return [*strengths, *[0.0] * (OWN - len(strengths)), []]

"""Tab "Compare": inversion methods on the open photo, with quality against time."""

import base64
import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import gradio as gr
from torch import Tensor

from latentloop.benchmark.comparison import Comparison, Outcome
from latentloop.benchmark.tables import table_cells, table_header
from latentloop.errors import UserError
from latentloop.images import write_png
from latentloop.studio.requests import FAILED, Updates, on_the_page, session_of
from latentloop.studio.session import OpenFace, Sessions, Stopped
from latentloop.studio.streaming import newest
from latentloop.studio.views import status
from latentloop.studio.workbench import Workbench

if TYPE_CHECKING:
    from latentloop.benchmark.methods import PreparedMethod

OF_NETWORK = [
    ("Ours, one pass of the network", "one-pass"),
    ("Ours, instant", "instant"),
    ("Ours, balanced", "balanced"),
    ("Ours, best", "best"),
]
"""Methods that start from an embedding network, with their labels: the qualities of the page and of the commands."""
OTHERS = [
    ("Iterator alone, 100 steps", "optimize"),
    ("Image2StyleGAN, 100 of 5000 steps", "image2stylegan:100"),
    ("StyleGAN2's projector, 100 of 1000 steps", "projector:100"),
    ("DHR-like: weights and features, 140 steps", "dhr-like"),
]
"""Other methods that take minutes at most, with their labels."""
SELECTED = 3
"""Number of methods that are selected at first: the first ones that are offered."""


@dataclass(frozen=True)
class CompareTab:
    """Components of the tab."""

    methods: gr.CheckboxGroup
    run: gr.Button
    stop: gr.Button
    said: gr.HTML
    table: gr.HTML
    plot: gr.HTML
    grid: gr.HTML


def compare_tab(*, network: bool) -> CompareTab:
    """Lay out the tab and return its components.

    Args:
        network: The generator has an embedding network.
    """
    gr.Markdown("Compare inversion methods, and their time, on the photo that is open in the tab Edit.")
    choices = [*OF_NETWORK, *OTHERS] if network else OTHERS
    selected = [name for _, name in choices[:SELECTED]]
    methods = gr.CheckboxGroup(choices, value=selected, label="Methods", elem_id="methods")
    with gr.Row():
        run = gr.Button("Compare", variant="primary", min_width=100, elem_id="compare-run")
        stop = gr.Button("Stop", min_width=100, elem_id="compare-stop")
    said = gr.HTML(status(""), elem_id="compare-said")
    table = gr.HTML("", elem_id="compare-table")
    plot = gr.HTML("", elem_id="compare-plot")
    grid = gr.HTML("", elem_id="compare-grid")
    return CompareTab(methods, run, stop, said, table, plot, grid)


@dataclass
class Follower:
    """Observer of a comparison: shows its progress, lets quick requests go first, and stops it on request."""

    bench: Workbench
    stopped: Event
    tell: Callable[[str], None]

    def begin(self, methods: Sequence["PreparedMethod"], images: int) -> None:
        """Ignore the start of the run."""

    def step(self, method: "PreparedMethod", done: int, loss: Tensor) -> None:  # noqa: ARG002
        """Show a step of a method; raise `Stopped` if the user ended the comparison."""
        if self.stopped.is_set():
            raise Stopped
        self.tell(f"{method.title}: step {done} ...")
        self.bench.turns.give_way(self.stopped)

    def finish(self, outcome: Outcome) -> None:
        """Ignore an outcome: the table will show it, or what was left out."""

    def note(self, line: str) -> None:
        """Ignore a note: none is about the open photo."""

    def written(self, file: Path) -> None:
        """Ignore a written file: the page shows the contents."""


@dataclass(frozen=True)
class CompareEvents:
    """Event handlers of the tab; each returns new values by component."""

    bench: Workbench
    sessions: Sessions
    tab: CompareTab

    def run(self, request: gr.Request, methods: Sequence[str]) -> Iterator[Updates]:
        """Compare methods on the open photo."""
        session, tab, done = session_of(self.sessions, request), self.tab, list[Comparison]()
        face, out = session.face, session.folder / "compare"

        def work(tell: Callable[[str], None]) -> None:
            if face is None or face.photo is None:
                raise UserError("open a photo in the tab Edit first")
            if not methods:
                raise UserError("choose at least one method")
            with session.work() as stopped, self.bench.turns.long():
                tell("Reading networks ...")
                image = self._cut_out(face, face.place / "cut-out")
                done.append(self._compared(image, methods, out, Follower(self.bench, stopped, tell)))

        with on_the_page():
            try:
                for text in newest(work):
                    yield {tab.said: status(text)}
            except Stopped:
                yield {tab.said: status("Stopped.")}
                return
            yield self._shown(done[0], out)

    def _shown(self, comparison: Comparison, out: Path) -> Updates:
        """Show the tables and pictures of a comparison; without a result, they would be those of an earlier one."""
        if not comparison.lines:
            raise UserError("; ".join(comparison.left_out))
        return {
            self.tab.said: status("Done. The line joins the methods that no faster one equals."),
            self.tab.table: _table(comparison),
            self.tab.plot: _png(out / "pareto.png", "quality against seconds, by method"),
            self.tab.grid: _png(out / "grid.png", "the photo and each method's reconstruction"),
        }

    def failed(self) -> str:
        """Say that a comparison failed."""
        return status(f"{FAILED}.")

    def _cut_out(self, face: OpenFace, folder: Path) -> Path:
        """Write the aligned face, the only part of the photo that methods get."""
        subject = self.bench.subject(face)
        path = folder / f"{subject.name}.png"
        write_png(path, subject.aligned_images[0])
        return path

    def _compared(self, image: Path, methods: Sequence[str], out: Path, follower: Follower) -> Comparison:
        from latentloop.benchmark import run_benchmark  # with matplotlib, for which the page should not wait

        parts = self.bench.model.components
        comparison = run_benchmark(
            [image],
            methods=tuple(methods),
            out=out,
            generator=parts.generator_file,
            which=parts.which,
            embedder=parts.embedder_file,
            device=str(parts.device),
            aligned=True,
            observer=follower,
        )
        # The reasons begin with the path of the image, which the user does not know.
        return replace(comparison, left_out=[reason.removeprefix(f"{image}: ") for reason in comparison.left_out])

    def stop(self, request: gr.Request) -> None:
        """Stop the comparison."""
        session_of(self.sessions, request).stop()


def _table(comparison: Comparison) -> str:
    """Format the table of a comparison as HTML, with what was left out below it."""
    head = "".join(f"<th>{html.escape(text)}</th>" for text in table_header(comparison))
    rows = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in table_cells(comparison)]
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    left_out = "".join(f"<p>Left out: {html.escape(reason)}</p>" for reason in comparison.left_out)
    return f'<div class="ll-wide"><table class="ll-table"><tr>{head}</tr>{body}</table>{left_out}</div>'


def _png(path: Path, what: str) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<div class="ll-wide"><img alt="{html.escape(what)}" src="data:image/png;base64,{content}"></div>'

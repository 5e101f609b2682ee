"""Layout of the tab "Edit": photo, face, sliders and downloads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from latentloop.studio.live_preview import SCRIPT, Served
from latentloop.studio.sliders import FARTHEST, OWN, STEP, SliderSpec
from latentloop.studio.views import empty, status

WELCOME = "Drop a photo, or choose an example."
"""First message to the user."""
EXAMPLES = Path(__file__).parent / "examples"
"""Folder of the example photos."""


@dataclass(frozen=True)
class EditTab:
    """Components of the tab."""

    photo: gr.Image
    random: gr.Button
    code: gr.UploadButton
    examples: gr.Gallery
    faces: gr.Gallery
    said: gr.HTML
    face: gr.HTML
    stop: gr.Button
    better: gr.Button
    best: gr.Button
    compare: gr.ImageSlider
    sliders: Sequence[gr.Slider]
    """Sliders of the bundled directions."""
    names: Sequence[str]
    """Names of the bundled directions, in the order of their sliders."""
    own: Sequence[gr.Slider]
    """Sliders of the user's own directions, hidden if unused."""
    keep: gr.CheckboxGroup
    undo: gr.Button
    redo: gr.Button
    reset: gr.Button
    save: gr.Button
    strip: gr.Button
    mp4: gr.Button
    gif: gr.Button
    shown: gr.HTML
    """The strip or the video, as HTML."""
    files: gr.File

    @property
    def components(self) -> list[Any]:
        """All components of the tab."""
        single = [one for one in vars(self).values() if isinstance(one, gr.blocks.Block)]
        return [*single, *self.sliders, *self.own]

    @property
    def whole(self) -> list[Any]:
        """Components that follow once the whole photo is drawn."""
        return [self.compare, self.face, self.undo, self.redo, self.reset]

    @property
    def searching(self) -> list[Any]:
        """Buttons that depend on whether a search is going on."""
        return [self.stop, self.better, self.best, self.save]

    @property
    def values(self) -> list[Any]:
        """Components that determine the edit, as `state_of` reads them."""
        return [*self.sliders, *self.own, self.keep]


def edit_tab(groups: Mapping[str, Sequence[SliderSpec]], preview: Served, *, for_faces: bool) -> EditTab:
    """Lay out the tab.

    Args:
        groups: Sliders by group.
        preview: Draws the face while a slider moves.
        for_faces: The generator draws faces, for which there are examples.
    """
    with gr.Row(equal_height=False):
        with gr.Column(min_width=260):
            opening = _opening(for_faces=for_faces)
        with gr.Column(scale=2, min_width=300, elem_id="face-column"):
            shown = _face(preview)
        with gr.Column(min_width=280):
            edits = _edits(groups)
    with gr.Row(), gr.Column(min_width=300):
        made = _whole()
    return EditTab(**opening, **shown, **edits, **made)


def _opening(*, for_faces: bool) -> dict[str, Any]:
    photo = gr.Image(
        label="Photo: drop, paste or take one",
        sources=["upload", "clipboard", "webcam"],
        type="filepath",
        height=260,
        buttons=[],
        elem_id="photo",
    )
    faces = gr.Gallery(
        label="Several faces: choose one", visible=False, columns=4, height=130, allow_preview=False, elem_id="faces"
    )
    with gr.Row():
        random = gr.Button("Random face" if for_faces else "Random image", min_width=100, elem_id="random")
        code = gr.UploadButton("Open a code", file_types=[".npz"], min_width=100, elem_id="code")
    pictures = sorted(EXAMPLES.glob("*.jpg")) if for_faces else []
    examples = gr.Gallery(
        value=[str(one) for one in pictures],
        label="Examples",
        visible=bool(pictures),
        columns=3,
        height=130,
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id="examples",
    )
    return {"photo": photo, "random": random, "code": code, "examples": examples, "faces": faces}


def _face(preview: Served) -> dict[str, Any]:
    said = gr.HTML(status(WELCOME), elem_id="said")
    face = gr.HTML(empty("The face appears here."), elem_id="face", js_on_load=SCRIPT, server_functions=[preview])
    with gr.Row():
        stop = gr.Button("Stop", interactive=False, min_width=80, elem_id="stop")
        better = gr.Button("Search on", interactive=False, min_width=80, elem_id="better")
        best = gr.Button("Best quality", interactive=False, min_width=80, elem_id="best")
    return {"said": said, "face": face, "stop": stop, "better": better, "best": best}


def _edits(groups: Mapping[str, Sequence[SliderSpec]]) -> dict[str, Any]:
    with gr.Row():
        undo = gr.Button("Undo", interactive=False, min_width=60, elem_id="undo")
        redo = gr.Button("Redo", interactive=False, min_width=60, elem_id="redo")
        reset = gr.Button("Reset", interactive=False, min_width=60, elem_id="reset")
    with gr.Column(elem_id="sliders"):
        sliders, own, keep = _sliders(groups)
    names = [spec.name for specs in groups.values() for spec in specs]
    return {"undo": undo, "redo": redo, "reset": reset, "sliders": sliders, "names": names, "own": own, "keep": keep}


def _sliders(groups: Mapping[str, Sequence[SliderSpec]]) -> tuple[list[gr.Slider], list[gr.Slider], gr.CheckboxGroup]:
    sliders = []
    for group, specs in groups.items():
        with gr.Accordion(group, open=True):
            sliders += [_slider(spec.label, spec.effect, f"slider-{spec.name}") for spec in specs]
    own = [_slider(f"direction {i + 1}", "", f"own-{i + 1}", visible=False) for i in range(OWN)]
    specs = [spec for specs in groups.values() for spec in specs]
    with gr.Accordion("Keep as it is", open=False, visible=bool(specs)):
        keep = gr.CheckboxGroup(
            [(spec.label, spec.name) for spec in specs],
            label="Attributes that the sliders should not change along",
            elem_id="keep",
        )
    return sliders, own, keep


def _slider(label: str, effect: str, elem_id: str, *, visible: bool = True) -> gr.Slider:
    return gr.Slider(
        -FARTHEST,
        FARTHEST,
        0,
        step=STEP,
        label=label,
        info=effect or None,
        visible=visible,
        elem_id=elem_id,
        buttons=[],
    )


def _whole() -> dict[str, Any]:
    compare = gr.ImageSlider(
        label="Whole photo, before and after",
        interactive=False,
        max_height=900,
        buttons=["fullscreen"],
        elem_id="compare",
    )
    with gr.Row():
        save = gr.Button("Files to download", interactive=False, min_width=120, elem_id="save")
        strip = gr.Button("Strip", interactive=False, min_width=80, elem_id="strip")
        mp4 = gr.Button("Video (MP4)", interactive=False, min_width=80, elem_id="mp4")
        gif = gr.Button("Animation (GIF)", interactive=False, min_width=80, elem_id="gif")
    shown = gr.HTML("", elem_id="shown")
    files = gr.File(label="Files", file_count="multiple", visible=False, interactive=False, elem_id="files")
    return {"compare": compare, "save": save, "strip": strip, "mp4": mp4, "gif": gif, "shown": shown, "files": files}

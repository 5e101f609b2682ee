"""Layout of the tab "Mix and morph"."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from latentloop.studio.views import empty, status

LAYERS = [("Pose and shape (coarse)", "coarse"), ("Features (middle)", "middle"), ("Colours and light (fine)", "fine")]
"""Groups of layers with their labels."""


@dataclass(frozen=True)
class MixTab:
    """Components of the tab."""

    add: gr.Button
    photos: gr.UploadButton
    random: gr.Button
    clear: gr.Button
    said: gr.HTML
    tray: gr.HTML
    """Pictures of the faces in the tray."""
    face: gr.Dropdown
    styles: gr.Dropdown
    layers: gr.CheckboxGroup
    strength: gr.Slider
    mixture: gr.HTML
    order: gr.Dropdown
    """Faces of the morph, in order."""
    way: gr.Slider
    between: gr.HTML
    mp4: gr.Button
    gif: gr.Button
    stop: gr.Button
    """Button that stops the animation being rendered."""
    film: gr.HTML
    files: gr.File


def mix_tab() -> MixTab:
    """Lay out the tab and return its components."""
    tray = _tray()
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            mixture = _mixture()
        with gr.Column(min_width=300):
            morph = _morph()
    return MixTab(**tray, **mixture, **morph)


def _tray() -> dict[str, Any]:
    with gr.Row():
        add = gr.Button("Add the face of Edit", min_width=120, elem_id="mix-add")
        photos = gr.UploadButton("Add photos", file_count="multiple", file_types=["image"], min_width=120)
        random = gr.Button("Add a random one", min_width=120, elem_id="mix-random")
        clear = gr.Button("Remove all", min_width=120, elem_id="mix-clear")
    said = gr.HTML(status("Add two or three faces."), elem_id="mix-said")
    tray = gr.HTML("", elem_id="mix-tray")
    return {"add": add, "photos": photos, "random": random, "clear": clear, "said": said, "tray": tray}


def _mixture() -> dict[str, Any]:
    gr.Markdown("### Mix")
    face = gr.Dropdown([], label="Face", elem_id="mix-face")
    styles = gr.Dropdown([], label="Takes styles of", elem_id="mix-styles")
    layers = gr.CheckboxGroup(LAYERS, value=["fine"], label="Which styles", elem_id="mix-layers")
    strength = gr.Slider(0, 1, 1, step=0.05, label="How much of them", elem_id="mix-strength")
    mixture = gr.HTML(empty("The mixture appears here."), elem_id="mixture")
    return {"face": face, "styles": styles, "layers": layers, "strength": strength, "mixture": mixture}


def _morph() -> dict[str, Any]:
    gr.Markdown("### Morph")
    order = gr.Dropdown([], multiselect=True, label="Faces, in order", elem_id="morph-order")
    way = gr.Slider(0, 1, 0, step=0.01, label="From the first to the last", elem_id="morph-way")
    between = gr.HTML(empty("The face in between appears here."), elem_id="between")
    with gr.Row():
        mp4 = gr.Button("Video (MP4)", min_width=80, elem_id="morph-mp4")
        gif = gr.Button("Animation (GIF)", min_width=80, elem_id="morph-gif")
        stop = gr.Button("Stop", interactive=False, min_width=80, elem_id="morph-stop")
    film = gr.HTML("", elem_id="film")
    files = gr.File(label="File", visible=False, interactive=False, elem_id="morph-file")
    shown = {"order": order, "way": way, "between": between, "film": film, "files": files}
    return {**shown, "mp4": mp4, "gif": gif, "stop": stop}

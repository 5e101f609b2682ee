"""Style of the page: fonts and colours that need no other host."""

import gradio as gr

FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
"""Fonts of the user's system, in order of preference."""
CSS = """
.ll-picture { width: 100%; max-width: 768px; height: auto; display: block; margin: 0 auto; border-radius: 8px; }
.ll-empty { aspect-ratio: 1; max-width: 768px; margin: 0 auto; display: flex; align-items: center;
  justify-content: center; border: 1px dashed var(--border-color-primary); border-radius: 8px;
  color: var(--body-text-color-subdued); }
.ll-status { min-height: 1.5em; margin: 0; }
.ll-row { display: flex; flex-wrap: wrap; gap: 8px; }
.ll-row figure { width: 128px; margin: 0; }
.ll-row figcaption { font-size: .8rem; overflow-wrap: anywhere; }
.ll-wide { overflow-x: auto; }
.ll-table td, .ll-table th { padding: 2px 10px; text-align: left; white-space: nowrap; }
#face .ll-picture { max-width: 640px; }
#sliders > * { flex: none; }
/* Filled from 0, which is in the middle, to the value. */
#sliders input[type=range]::-webkit-slider-runnable-track { background: linear-gradient(to right,
  var(--neutral-200) min(50%, var(--range_progress)),
  var(--slider-color) 0 max(50%, var(--range_progress)), var(--neutral-200) 0); }
@media (min-width: 1000px) { #sliders { max-height: 88vh; overflow-y: scroll; } }
@media (max-width: 700px) {
  .gradio-container { overflow: clip !important; }  /* hidden would keep what is sticky from being so */
  #face-column { position: sticky; top: 0; z-index: 5; background: var(--body-background-fill); }
  #face-column .ll-picture, #face-column .ll-empty { max-width: 40vh; }
}
h1 { font-size: 1.4rem; margin: 0; }
footer { display: none; }
"""
"""Style sheet of the page, in addition to Gradio's."""


def theme() -> gr.themes.Base:
    """Create the theme, with the fonts of the user's system."""
    return gr.themes.Soft(font=FONTS, font_mono=["ui-monospace", "monospace"])

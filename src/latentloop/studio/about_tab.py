"""Tab "About": the meaning of the metrics, and the model cards of the networks with their licences."""

import gradio as gr

from latentloop.weights import ASSETS

CARDS = {
    "base-ffhq": "The network that finds codes",
    "features-ffhq": "The network that predicts what no code draws",
    "mobile-ffhq-256": "The generator of 256 pixels",
    "mobile-ffhq-1024-v2": "The generator of 1024 pixels",
    "directions-ffhq": "The directions",
    "metric-ffhq": "The generator's perceptual metric",
}
"""Model cards in the package, with their headings."""
FIGURES = """
- **LPIPS**: the visible difference of two images, by a network trained on people's judgements. 0 is the same image;
  0.05 is hard to tell apart, 0.3 looks like a sibling.
- **MSE**: mean squared difference of the pixels, which range from -1 to 1.
- **Identity (ID)**: similarity of the two faces to a face-recognition network, from -1 to 1. Above 0.8 most people see
  the same person, too.
- A slider's strength of **1** is a clear change, **2** a strong one; beyond **3** most faces fall apart.

Edits show what the generator learned from photos that people put online, with their prejudices: "older", "more
masculine" or "angry" is how such photos look, not a fact about a person.

Everything is computed on the machine that serves this page. Photos are kept as long as the page is open.
"""
"""Explanation of the metrics, in Markdown."""


def about_tab(generator: str) -> None:
    """Lay out the tab.

    Args:
        generator: Name or file of the page's generator.
    """
    gr.Markdown(f"## What the figures mean\n{FIGURES}\n## Networks\nThis page draws with `{generator}`.")
    for name, title in CARDS.items():
        card = ASSETS / f"{name}.md"
        if card.is_file():
            with gr.Accordion(title, open=False):
                gr.Markdown(card.read_text(encoding="utf-8"))
    with gr.Accordion("Licences", open=False):
        gr.Markdown((ASSETS / "NOTICE.md").read_text(encoding="utf-8"))

"""Tutorials of the site: notebooks as Markdown, with the pictures and texts that their cells left."""

from pathlib import Path

from nbconvert import MarkdownExporter

from docs_site.pages import Pages


def add_notebooks(pages: Pages, folder: Path) -> list[Path]:
    """Add a page for each notebook of a folder, and the notebook itself; returns the notebooks, by name.

    Args:
        pages: Where to.
        folder: The folder; it may be absent.
    """
    notebooks = sorted(folder.glob("*.ipynb"))
    for notebook in notebooks:
        outputs = f"{notebook.stem}_files"
        text, resources = MarkdownExporter().from_filename(str(notebook), {"output_files_dir": outputs})
        file = f'<a href="{notebook.name}" download>{notebook.name}</a>'
        note = f"\n*This page is the notebook {file}, as it was last run.*\n"
        heading, _, rest = text.lstrip().partition("\n")
        pages.add(notebook.with_suffix(".md"), f"{heading}\n{note}\n{rest}")
        for name, content in resources["outputs"].items():
            picture = pages.folder / pages.place(folder / name)
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(content)
    return notebooks

"""Build the documentation site, and check its links: `make docs`.

python scripts/build_docs.py

The pages are docs/*.md, the notebooks in docs/tutorials, what these link to elsewhere in the repository, and a
reference made from docstrings and `--help`. zensical.toml has the navigation. The pages open as files; their search
needs a web server, such as `python -m http.server --directory build/docs/site`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import tyro

from docs_site.built import outside, unreachable
from docs_site.commands import command_pages, command_table, file_name
from docs_site.notebooks import add_notebooks
from docs_site.pages import Pages
from docs_site.reference import TITLES, front_page, load_package, room_page, rooms

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "DEVELOPERS.md", "SECURITY.md", "CODE_OF_CONDUCT.md")


def main(out: Path = ROOT / "build" / "docs") -> int:
    """Build the site; returns 1 if a link is broken or a page asks another host for something.

    Args:
        out: Folder for the pages in Markdown and the site.
    """
    shutil.rmtree(out, ignore_errors=True)
    gather(out / "pages")
    shutil.copyfile(ROOT / "zensical.toml", out / "zensical.toml")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(out / "zensical.toml")]
    code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own arguments
    problems = [*unreachable(out / "site"), *outside(out / "site")]
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    if not code and not problems:
        print(out / "site" / "index.html")
    return 1 if code or problems else 0


def gather(folder: Path) -> None:
    """Write all pages of the site in Markdown into a folder."""
    pages = Pages(ROOT, folder)
    docs, assets = ROOT / "docs", ROOT / "src" / "latentloop" / "assets"
    notebooks = add_notebooks(pages, docs / "tutorials")
    cards = sorted(assets.glob("*.md"))
    project = [ROOT / name for name in PROJECT if (ROOT / name).is_file()]
    pages.gather([*sorted(docs.rglob("*.md")), *docs.rglob("*.css"), *notebooks, *cards, *project])
    tutorials = [(_title(pages, notebook.with_suffix(".md")), f"{notebook.stem}.md") for notebook in notebooks]
    _summarise(pages, docs / "tutorials", [("Tutorials", "README.md"), *tutorials])
    _summarise(pages, assets, [(_title(pages, card), card.name) for card in cards])
    _summarise(
        pages, ROOT, [(page.stem if page.stem == "README" else _title(pages, page), page.name) for page in project]
    )
    _add_reference(pages, docs / "reference")


def _add_reference(pages: Pages, folder: Path) -> None:
    package = load_package(ROOT / "src")
    commands = dict(command_pages())
    for name, text in commands.items():
        pages.add(folder / file_name(name), text)
    pages.add(folder / "index.md", front_page(package) + command_table())
    summary = [
        "- [Overview](index.md)",
        "- Commands",
        *(f"    - [{_short(name)}]({file_name(name)})" for name in commands),
    ]
    for kind, names in rooms().items():
        summary += [f"- {TITLES[kind]}", *(f"    - [{room}]({room}.md)" for room in names)]
        for room in names:
            pages.add(folder / f"{room}.md", room_page(package, room))
    pages.add(folder / "SUMMARY.md", "\n".join([*summary, ""]))


def _short(command: str) -> str:
    return command.removeprefix("latentloop ")


def _summarise(pages: Pages, folder: Path, entries: list[tuple[str, str]]) -> None:
    """Write the part of the navigation that zensical.toml leaves to a folder."""
    pages.add(folder / "SUMMARY.md", "".join(f"- [{title}]({file})\n" for title, file in entries))


def _title(pages: Pages, page: Path) -> str:
    """Return the heading of a page that was written."""
    text = (pages.folder / pages.place(page)).read_text(encoding="utf-8")
    return next(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# "))


if __name__ == "__main__":
    sys.exit(tyro.cli(main, description=__doc__))

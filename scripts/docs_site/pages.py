"""Pages of the site from files of the repository: where each goes, and its links as they are from there."""

import re
import shutil
from collections.abc import Iterator
from os.path import relpath
from pathlib import Path
from urllib.parse import urlsplit

from docs_site.markdown_links import targets

LINK = re.compile(r"(?<=\]\()[^)\s]+(?=\))")
FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2[ \t]*$", flags=re.MULTILINE | re.DOTALL)
CODE = {".py": "python", ".toml": "toml", ".yml": "yaml", ".yaml": "yaml", ".ts": "typescript", "": "make"}
"""Endings of the files that are shown as a page of code, and their languages."""


class Pages:
    """A folder of pages: the documentation, and of the rest of the repository what it links to."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.root = root
        self.folder = folder
        self._done: set[Path] = set()

    def gather(self, files: list[Path]) -> None:
        """Copy files of the repository, the files that they link to, those that these link to, and so on."""
        waiting = list(files)
        while waiting:
            file = waiting.pop()
            if file not in self._done:
                self._done.add(file)
                waiting += self._copy(file)

    def add(self, page: Path, text: str) -> None:
        """Write a page that is made here, and gather what it links to.

        Args:
            page: Where its source would lie in the repository; links are from there.
            text: Markdown.
        """
        self._done.add(page)
        linked = self._write(page, text)
        self.gather(linked)

    def place(self, file: Path) -> Path:
        """Find a file's place among the pages: documentation at the top, model cards, the project's pages, the rest."""
        path = file.relative_to(self.root)
        if path.parts[0] == "docs":
            return Path(*path.parts[1:])
        if path.parts[:3] == ("src", "latentloop", "assets"):
            return Path("models", *path.parts[3:])
        if path == Path("LICENSE"):
            return Path("project", "LICENSE.txt")
        if path.suffix == ".md" and len(path.parts) == 1:
            return Path("project", path)
        return Path("files", f"{path}.md") if path.suffix in CODE else Path("files", path)

    def _copy(self, file: Path) -> list[Path]:
        if file.suffix == ".md":
            return self._write(file, file.read_text(encoding="utf-8"))
        out = self.folder / self.place(file)
        out.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix in CODE and file.name != "LICENSE":
            code = file.read_text(encoding="utf-8").rstrip()
            fence = "`" * (max([2, *map(len, re.findall("`+", code))]) + 1)
            heading = f"# {file.relative_to(self.root).as_posix()}"
            out.write_text(f"{heading}\n\n{fence}{CODE[file.suffix]}\n{code}\n{fence}\n", encoding="utf-8")
        else:
            shutil.copyfile(file, out)
        return []

    def _write(self, page: Path, text: str) -> list[Path]:
        out = self.folder / self.place(page)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text("".join(self._relinked(page, text)), encoding="utf-8")
        return [file for target in targets(text) if (file := self._file(page, target))]

    def _relinked(self, page: Path, text: str) -> Iterator[str]:
        end = 0
        for fence in FENCE.finditer(text):
            yield LINK.sub(lambda link: self._moved(page, link[0]), text[end : fence.start()])
            yield fence[0]
            end = fence.end()
        yield LINK.sub(lambda link: self._moved(page, link[0]), text[end:])

    def _moved(self, page: Path, target: str) -> str:
        file = self._file(page, target)
        if file is None:
            return target
        fragment = urlsplit(target).fragment
        place = self.place(file)
        place = place.with_suffix(".md") if place.suffix == ".ipynb" else place  # the page that a notebook becomes
        path = relpath(place, self.place(page).parent).replace("\\", "/")
        return f"{path}#{fragment}" if fragment else path

    def _file(self, page: Path, target: str) -> Path | None:
        """Find the file that a link leads to; None of an address, an anchor of the page, and what is not there."""
        parts = urlsplit(target)
        if parts.scheme or parts.netloc or not parts.path:
            return None
        file = (page.parent / parts.path).resolve()
        file = file / "README.md" if file.is_dir() else file  # the page that GitHub shows for a folder
        return file if file.is_file() and file.is_relative_to(self.root) else None

"""Puts the modules of latentloop into the wheel, and of its assets those that are read without PyTorch."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

LEFT_OUT = frozenset({".safetensors"})
"""Endings of assets that are left out, unless they are among those that are read."""
FOLDERS = frozenset({"__pycache__", "web_page"})
"""Folders that are left out: what Python and `make web` build."""
NETWORKS = ("mobile-ffhq-1024", "base-ffhq", "lpips-alex", "mobilefacenet", "mtcnn")
"""Weights that the graphs of the package refer to, as scripts/make_shipped_graphs.py names them."""
READ = frozenset(f"{name}.safetensors" for name in (*NETWORKS, "directions-ffhq"))
"""Weights that are read without PyTorch."""


class Modules(BuildHookInterface):
    """Adds files from outside of this folder."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Say which files go where in the wheel."""
        top = Path(self.root).parents[1]
        files = {top / "LICENSE": "latentloop/LICENSE"}
        for path in sorted((top / "src" / "latentloop").rglob("*")):
            left_out = FOLDERS & set(path.parts)
            if path.is_file() and not left_out and (path.suffix not in LEFT_OUT or path.name in READ):
                files[path] = str(path.relative_to(top / "src"))
        build_data["force_include"] |= {str(path): place for path, place in files.items()}

"""The example of docs/onnx.md runs on the graphs in the package."""

import re
from pathlib import Path
from typing import Any

import pytest

from latentloop.weights import ASSETS

PAGE = Path(__file__).parent.parent / "docs" / "onnx.md"


def test_the_example_draws_a_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "onnx").symlink_to(ASSETS, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the page's own example
    assert names["image"].shape == (1, 3, 1024, 1024)
    assert names["w_plus"].shape == (1, 16, 512)
    assert (tmp_path / "face.png").stat().st_size > 100_000

"""The page about records tells of the columns that there are, and its code runs."""

import re
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from latentloop.bulk.sink import write_records
from latentloop.records import COLUMNS, RecordFolder, RecordRun, arrow_schema

PAGE = (Path(__file__).parent.parent / "docs" / "bulk.md").read_text(encoding="utf-8")


def test_the_page_lists_all_columns_with_their_types() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", PAGE, flags=re.MULTILINE)
    shapes = {one.name: f" ({' x '.join(map(str, one.shape))})" if one.shape else "" for one in COLUMNS}
    assert rows == [(one.name, f"{one.kind}{shapes[one.name]}", one.meaning) for one in COLUMNS]


def test_the_examples_read_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RecordRun("mobile-ffhq-1024", "0", "net", "0.1.0", 16, 512, 128, settings={})
    rows = [
        {
            "path": f"/f/{name}.jpg",
            "key": f"{i:064x}",
            "face": 1,
            "faces": 1,
            "status": "ok",
            "width": 9,
            "height": 9,
            "quad": np.zeros(8),
            "steps": 0,
            "lpips_alex": i / 8,
            "id": 0.5,
            "code": np.random.default_rng(i).normal(size=8192).astype(np.float16),
            "identity": np.random.default_rng(i).normal(size=128).astype(np.float16),
        }
        for i, name in enumerate(("anna", "bob"))
    ]
    rows.append({"path": "/f/bad.jpg", "face": 0, "faces": 0, "status": "error", "error": "/f/bad.jpg: no face"})
    folder = tmp_path / "records"
    RecordFolder(folder).begin(run)
    write_records(pyarrow.Table.from_pylist(rows, schema=arrow_schema(run)), folder, "a", run)
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
    blocks = [one for one in examples if "import latentloop as ll" not in one]
    assert len(blocks) == 4
    exec("import torch\n" + "\n".join(blocks), names := dict[str, object]())  # noqa: S102
    codes = names["codes"]
    assert isinstance(codes, np.ndarray)
    np.testing.assert_array_equal(codes.reshape(2, -1), [row["code"] for row in rows[:2]])
    printed = capsys.readouterr().out
    assert "/f/bob.jpg torch.Size([16, 512])" in printed
    assert printed.count("('/f/anna.jpg', 1.0") + printed.count("('/f/anna.jpg', 0.99") == 2

from pathlib import Path

import pytest

from latentloop.json_files import decode_json, read_json


def test_json_comes_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"é": [1, null]}', encoding="utf-8")
    assert read_json(tmp_path / "a.json") == {"é": [1, None]}


@pytest.mark.parametrize("text", ["", "{", "9" * 5000, "[" * 100_000, '{"a":' * 100_000], ids=lambda text: text[:5])
def test_what_cannot_be_decoded_is_one_kind_of_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_json(text)

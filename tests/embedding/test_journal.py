import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latentloop.embedding.journal import Journal, is_journal

PHOTOS = [Path("photos") / f"{name}.jpg" for name in ("anna", "ben", "cleo")]
ANNA, BEN, CLEO = map(str, PHOTOS)
Begin = Callable[..., Journal]


def result(file: str, name: str = "a", mse: float = 0.1) -> dict[str, Any]:
    return {"file": file, "name": name, "metrics": {"mse": mse}, "code": f"{name}.npz"}


def failure(file: str) -> dict[str, Any]:
    return {"file": file, "error": "no face found"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


@pytest.fixture
def begin(path: Path) -> Begin:
    def begun(*photos: Path) -> Journal:
        journal = Journal(path, photos or PHOTOS)
        journal.begin()
        return journal

    return begun


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_line_is_there_as_soon_as_it_is_added(begin: Begin, path: Path) -> None:
    journal = begin()
    assert not path.exists()
    for count, record in enumerate([result(BEN), failure(ANNA), result(CLEO)], start=1):
        journal.add(record)
        assert len(lines(path)) == count
        assert lines(path)[-1] == record


def test_at_the_end_each_result_has_one_line_in_the_photos_order(begin: Begin, path: Path) -> None:
    journal = begin()
    faces = [result(BEN, "ben-face1"), result(BEN, "ben-face2")]
    for record in (result(CLEO), *faces, failure(ANNA)):
        journal.add(record)
    journal.finish([result(CLEO), *faces, failure(ANNA)])
    assert lines(path) == [failure(ANNA), *faces, result(CLEO)]


@pytest.mark.parametrize(
    "torn", ['{"file": "photos/cleo.jpg", "na', '{"file": "photos/cleo.jpg", "error": "no', "\x00" * 9]
)
def test_a_broken_line_goes_at_the_next_run_and_whole_ones_stay(begin: Begin, path: Path, torn: str) -> None:
    begin().add(result(ANNA))
    whole = path.read_text()
    path.write_text(whole + torn)
    assert is_journal(path)
    journal = begin()
    assert path.read_text() == whole
    journal.add(result(ANNA))  # which is there
    assert path.read_text() == whole
    journal.add(result(BEN))
    assert lines(path) == [result(ANNA), result(BEN)]


def test_a_result_that_is_made_again_has_its_new_line_last_and_in_the_end_alone(begin: Begin, path: Path) -> None:
    begin().add(result(ANNA, mse=0.2))
    journal = begin()
    journal.add(result(ANNA, mse=0.1))
    assert lines(path) == [result(ANNA, mse=0.2), result(ANNA, mse=0.1)]
    assert lines(path)[-1] == result(ANNA, mse=0.1)
    journal.finish([result(ANNA, mse=0.1)])
    assert lines(path) == [result(ANNA, mse=0.1)]


def test_a_run_that_is_stopped_early_keeps_what_is_known_of_the_photos_it_did_not_reach(
    begin: Begin, path: Path
) -> None:
    journal = begin()
    records = [failure(ANNA), result(BEN), result(CLEO)]
    for record in records:
        journal.add(record)
    journal.finish(records)
    journal = begin()
    journal.add(result(ANNA))
    journal.finish([result(ANNA)])
    assert lines(path) == [result(ANNA), result(BEN), result(CLEO)]


def test_other_photos_make_another_run(begin: Begin, path: Path) -> None:
    begin().add(result(ANNA))
    begin(*PHOTOS[1:])
    assert not path.exists()


def test_what_is_right_already_is_not_written_again(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    begin().add(result(ANNA))
    monkeypatch.setattr("latentloop.embedding.journal.replacing", lambda _: pytest.fail("written again"))
    journal = begin()
    journal.add(result(ANNA))
    journal.finish([result(ANNA)])


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        (json.dumps(result(ANNA)) + "\n", True),
        (json.dumps(failure(ANNA)) + "\n", True),
        ('{"file": "photos/cl', True),
        ("", False),
        ('{"file": "x.jpg", "label": 3}\n', False),
        ('{"file": "x.jpg", "label"\n{}\n', False),
        ('{"file": 3, "error": "x"}\n', False),
        ('{"file": "a", "name": ["b"], "metrics": 1, "code": 1}\n', False),
        ('{"step": 1}\n', False),
        ("[" * 100000, False),
    ],
)
def test_a_journal_is_known_by_its_first_line(path: Path, text: str, ours: bool) -> None:
    path.write_text(text)
    assert is_journal(path) is ours

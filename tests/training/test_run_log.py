from pathlib import Path

import pytest

from latentloop.errors import UserError
from latentloop.training.run_log import RunLog


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return RunLog(tmp_path / "log.jsonl", figures=("val_loss",))


def test_lines_come_back_up_to_a_step(log: RunLog) -> None:
    lines = [{"step": 1.0, "val_loss": 0.5, "seconds": 3.0}, {"step": 2.0, "val_loss": 0.25, "seconds": 4.0}]
    assert log.lines(2) == []
    log.write(lines)
    assert log.lines(2) == lines
    assert log.lines(1) == lines[:1]


@pytest.mark.parametrize(
    "text", ["5", "[]", '{"step": 1}', '{"step": 1, "val_loss": null}', '{"step": "1", "val_loss": 1}', "[" * 100_000]
)
def test_what_is_no_such_log_is_refused_in_one_line(log: RunLog, text: str) -> None:
    log.path.write_text(text)
    with pytest.raises(UserError, match=r"log\.jsonl: not the log of such a run, or damaged; delete it to continue"):
        log.lines(1)


def test_a_log_that_may_not_be_read_is_not_called_damaged(log: RunLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    log.write([])
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(UserError, match=r"log\.jsonl: cannot read it: Permission denied$"):
        log.lines(1)

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.mark.usefixtures("toy_shipped")
def test_a_class_that_the_generator_lacks_is_told_with_the_option(run: Run, tmp_path: Path) -> None:
    told = ["latentloop: label 3: toy-32 has no classes; see --label"]
    assert run("generate", "--label", 3, "--out", tmp_path / "out") == (2, [], told)
    assert not (tmp_path / "out").exists()

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentloop.faces import load_face_detector
from latentloop.images import read_image

Run = Callable[..., tuple[int, list[str], list[str]]]
pytestmark = pytest.mark.usefixtures("process")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.mark.usefixtures("toy_shipped")
def test_generate_writes_the_images_and_a_sheet_of_them(run: Run, out: Path) -> None:
    code, lines, errors = run("generate", "--count", 5, "--out", out)
    assert (code, errors) == (0, [])
    paths = [out / name for name in (*(f"image-{i:04d}.png" for i in range(5)), "sheet.png")]
    assert lines == [str(path) for path in paths]
    assert sorted(out.iterdir()) == paths
    images = [np.asarray(Image.open(path)) for path in paths]
    white = np.full((32, 32 * 3, 3), 255)
    second_row = np.concatenate([images[4], white], axis=1)
    np.testing.assert_array_equal(images[5], np.concatenate([np.concatenate(images[:4], axis=1), second_row]))
    assert len({image.tobytes() for image in images}) == 6


@pytest.mark.usefixtures("toy_shipped")
def test_generate_draws_alike_for_a_seed_and_otherwise_for_another(run: Run, tmp_path: Path) -> None:
    def drawn(name: str, *options: object) -> list[bytes]:
        assert run("generate", "--count", 2, "--out", tmp_path / name, *options)[0] == 0
        return [path.read_bytes() for path in sorted((tmp_path / name).iterdir())]

    first = drawn("a", "--seed", 1)
    assert drawn("b", "--seed", 1) == first
    assert not set(drawn("c", "--seed", 2)) & set(first)
    assert not set(drawn("d", "--seed", 1, "--truncation-psi", 1)) & set(first)
    assert len(set(drawn("e", "--truncation-psi", 0)[:2])) == 1


def test_generate_draws_a_face_with_the_shipped_generator(run: Run, out: Path) -> None:
    code, lines, errors = run("generate", "--count", 1, "--out", out, "--device", "cpu")
    assert (code, errors) == (0, [])
    image, sheet = (read_image(line) for line in lines)
    assert image.shape == (1, 3, 1024, 1024)
    assert sheet.shape == (1, 3, 256, 256)
    assert len(load_face_detector().detect(sheet)) == 1


@pytest.mark.usefixtures("toy_shipped")
def test_a_class_that_the_generator_lacks_is_told_with_the_option(run: Run, tmp_path: Path) -> None:
    told = ["latentloop: label 3: toy-32 has no classes; see --label"]
    assert run("generate", "--label", 3, "--out", tmp_path / "out") == (2, [], told)
    assert not (tmp_path / "out").exists()

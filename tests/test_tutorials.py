"""The tutorials run, with quick settings, and come to what they say."""

import base64
import io
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

from latentloop import load_code, load_generator, read_image
from latentloop.editing import read_directions
from latentloop.records import open_records

ROOT = Path(__file__).parents[1]
PHOTOS = ROOT / "examples" / "photos"
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))
MEGABYTE, SMALLEST = 1_000_000, 256
ABSOLUTE = re.compile(r"(?<![\w.])/(?:home|root|tmp|work|usr|opt|Users|mnt)\b|[A-Z]:\\\\|file://")
Ran = Callable[..., "Outcome"]


class Outcome:
    """What a notebook printed and drew."""

    def __init__(self, notebook: NotebookNode, folder: Path) -> None:
        outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
        self.folder = folder / "out"
        self.pictures = pictures_in(notebook)
        self.said = "\n".join(text_of(output) for output in outputs)

    def number_after(self, text: str) -> float:
        """The first number behind a text."""
        match = re.search(rf"{re.escape(text)}\D*?([-+]?\d+(?:\.\d+)?)", self.said)
        assert match, f"{text} was not said: {self.said}"
        return float(match[1])


def text_of(output: NotebookNode) -> str:
    data: dict[str, Any] = output.get("data", {})
    return str(output.get("text") or data.get("text/markdown") or data.get("text/plain") or "")


def pictures_in(notebook: NotebookNode) -> list[Image.Image]:
    """The pictures that the cells of a notebook show, in their order."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    data = [output.get("data", {}) for cell in cells for output in cell.outputs]
    encoded = [one.get("image/jpeg") or one.get("image/png") for one in data]
    return [Image.open(io.BytesIO(base64.b64decode(one))) for one in encoded if one]


@pytest.fixture(scope="module")
def client(load_script: Callable[[str], ModuleType]) -> Iterator[NotebookClient]:
    """One kernel for all, so that PyTorch is imported once."""
    with load_script("run_tutorials").running_kernel() as client:
        yield client


@pytest.fixture
def ran(client: NotebookClient, load_script: Callable[[str], ModuleType], tmp_path: Path) -> Ran:
    """Runs a tutorial with other parameters in an empty folder."""
    script = load_script("run_tutorials")

    def run(name: str, **changes: object) -> Outcome:
        path = ROOT / "docs" / "tutorials" / f"{name}.ipynb"
        return Outcome(script.run_notebook(path, tmp_path, client, changes), tmp_path)

    return run


def test_a_photo_is_inverted_edited_and_put_back(ran: Ran) -> None:
    photo = PHOTOS / "female-76.jpg"
    outcome = ran("edit-a-photo", PHOTO=str(photo), STEPS=0, STRENGTHS=[1], SHOWN=["smile"])
    assert "16 styles of 512 numbers" in outcome.said
    assert outcome.number_after("lpips_alex") < 0.4
    assert outcome.number_after("id ") > 0.5
    assert read_image(outcome.folder / "edited.png").shape == read_image(photo).shape
    assert load_code(outcome.folder / "photo.npz").w_plus.shape == (16, 512)
    assert len(outcome.pictures) == 5


def test_a_checkpoint_of_another_project_is_read_and_an_attack_refused(ran: Ran) -> None:
    outcome = ran("your-own-stylegan", STEPS=20)
    assert re.search("layout +StyleGAN2 of rosinality", outcome.said)
    assert re.search("resolution +64", outcome.said)
    assert re.search(r"bad.pkl: .*system", outcome.said)
    assert "attacked" not in outcome.said
    sizes = [(outcome.folder / name).stat().st_size for name in ("mine.safetensors", "mine.pt")]
    assert sizes[0] < 0.6 * sizes[1]
    start, best = re.findall(r"(\d\.\d+) at the", outcome.said)
    assert float(best) < 0.7 * float(start)


def test_a_network_is_trained_on_pictures_without_faces(ran: Ran) -> None:
    outcome = ran("train-on-anything", FITTING_STEPS=30, TRAINING_STEPS=8)
    assert {path.name for path in (outcome.folder / "run").iterdir()} >= {"best.safetensors", "config.json"}
    assert len(list((outcome.folder / "drawings").iterdir())) == 256
    assert load_generator(outcome.folder / "landscapes.safetensors").latent_avg.abs().max() > 0
    before, after = re.findall(r"loss on the held-out pictures ([\d.]+)", outcome.said)[::3]
    assert float(after) < float(before)
    passed, refined = re.findall(r"(\d\.\d{4})", outcome.said)
    assert float(refined) < float(passed)
    assert len(outcome.pictures) == 3


def test_directions_are_found_saved_and_used(ran: Ran) -> None:
    outcome = ran("find-a-direction", SCORED=52, STRENGTHS=[2], PHOTO=str(PHOTOS / "female-1.jpg"))
    assert list(read_directions(outcome.folder / "mine.safetensors")) == ["turn", "sefa0"]
    assert outcome.number_after("held out:") > 50
    assert abs(outcome.number_after("bundled yaw:")) > 0.2
    assert len(outcome.pictures) == 3


def test_methods_are_compared_with_one_and_a_metric_of_the_reader(ran: Ran) -> None:
    outcome = ran("measure-a-method", PHOTOS=[str(PHOTOS / "female-1.jpg")], METHODS=("one-pass", "hybrid:2"))
    rows = {row[0].strip(): row[1:] for line in outcome.said.splitlines() if (row := line.strip("|").split("|"))[1:]}
    assert {"Ours, one pass", "Ours, hybrid, 2 steps", "Corrected pass"} <= rows.keys()
    assert all(0 < float(rows[name][0]) < 0.6 for name in rows if name not in {"method", "---"})
    assert 0.2 < outcome.number_after("Ours, one pass  ") < 1.5
    folders = {path.name for path in (outcome.folder / "benchmark").iterdir() if path.is_dir()}
    assert {"one-pass", "hybrid-2", "corrected", "photos"} <= folders
    assert len(outcome.pictures) == 3


def test_a_folder_becomes_a_table_of_faces(ran: Ran, tmp_path: Path) -> None:
    for name in ("female-1", "male-81"):
        (tmp_path / "photos").mkdir(exist_ok=True)
        (tmp_path / "photos" / f"{name}.jpg").symlink_to(PHOTOS / f"{name}.jpg")
    outcome = ran("thousands-of-photos", PHOTOS="photos", WORKERS=1)
    assert "Summary(photos=3, faces=2, errors=1)" in outcome.said
    assert "2 codes of (16, 512) float16" in outcome.said
    assert sorted(row["status"] for row in open_records(outcome.folder / "records").rows()) == ["error", "ok", "ok"]
    (first, same), (other, less) = re.findall(r"^((?:fe)?male-\d+\.jpg) +([-\d.]+)$", outcome.said, flags=re.MULTILINE)
    assert first != other
    assert float(less) < 0.4 < float(same)
    assert len(outcome.pictures) == 2


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_is_saved_as_readers_should_see_it(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert 10 <= len(notebook.cells) <= 15
    assert notebook.cells[0].source.startswith("# ")
    assert "**What you will have at the end:**" in notebook.cells[0].source
    assert "**How long it takes:**" in notebook.cells[0].source
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert len(pictures_in(notebook)) >= 2
    assert all(min(picture.size) >= SMALLEST for picture in pictures_in(notebook))
    assert path.stat().st_size < MEGABYTE


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_tells_nothing_of_the_machine_that_ran_it(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"display_data", "execute_result", "stream"}
    said = "\n".join(text_of(output) + str(output.get("data", {}).get("text/html")) for output in outputs)
    assert not ABSOLUTE.findall(said)
    assert socket.gethostname() not in said


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_the_links_of_a_tutorial_lead_somewhere(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    assert links
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []

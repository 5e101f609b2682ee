import subprocess
import sys
from pathlib import Path

import pytest

from latentloop.cli.inputs import CODES, refuse_missing
from latentloop.defaults import SHIPPED_EMBEDDERS, SHIPPED_GENERATORS
from latentloop.encoders import embedder_file
from latentloop.errors import UserError
from latentloop.generators import registry
from latentloop.photo_editing.subjects import LATENTS

MISSING = [
    "embed none.jpg",
    "embed none.jpg more.jpg",
    "embed here.png --generator none.pkl",
    "embed here.png --embedder none.pt",
    "embed here.png --start none.npz",
    "edit none.jpg --set smile=1",
    "edit here.png --set smile=1 --generator none.pkl",
    "edit here.npz --set smile=1 --photos none.jpg",
    "morph here.png none.jpg",
    "mix none.jpg --styles here.png",
    "mix here.png --styles none.jpg",
    "transfer none.jpg --neutral here.png --expressive here.png",
    "transfer here.png --neutral none.jpg --expressive here.png",
    "generate --generator none.pkl",
    "directions list none.npy",
    "directions list --generator none.pkl",
    "directions find --generator none.pkl",
    "directions samples --generator none.pkl",
    "inspect none.pkl",
    "convert none.pkl out.safetensors",
    "fetch vgg16 --linear none.pth",
    "cache show none.cache",
    "cache export here.png none.jpg",
    "train --data none",
    "directions find --method interfacegan --samples none --attribute smile",
    "train --generator none.pkl",
    "train --start none.safetensors",
    "distill --photos none",
    "distill --generator none.pkl",
    "bench --root none",
    "bench generator --generators none.pkl",
]
"""Commands that can do nothing, since something is not there."""
UNNAMED = {
    "bench": "name the folder with the images, such as examples/photos; see --root",
    "morph here.png": "a morph takes two faces or more; name at least two photos or codes",
    "morph seed:7": "a morph takes two faces or more; name at least two photos or codes",
}
"""Commands that can do nothing, since too little is named, with what they say."""
PROGRAM = """
import sys
from latentloop.cli import main

for command in sys.argv[1:]:
    code = main(command.split())
    print(code, sorted({"torch", "numpy", "PIL", "rich"} & set(sys.modules)), command)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a file here.png."""
    (tmp_path / "here.png").touch()
    monkeypatch.chdir(tmp_path)


def message(**named: object) -> str:
    with pytest.raises(UserError) as raised:
        refuse_missing(**named)  # type: ignore[arg-type]
    return str(raised.value)


def test_the_names_of_what_ships_are_those_of_the_tables() -> None:
    assert list(SHIPPED_GENERATORS) == list(registry.SHIPPED)
    assert list(SHIPPED_EMBEDDERS) == list(embedder_file.SHIPPED)
    assert set(CODES) == LATENTS


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("argument", ["here.png", "*.png", ".", "seed:7", "here.png/", "none.png", "*.jpg", "", "x\0"])
def test_a_picture_may_be_a_file_a_folder_a_glob_or_a_sample(argument: str) -> None:
    missing = {"none.png": "no such file or folder", "*.jpg": "no file matches", "x\0": "no such file or folder"}
    if reason := missing.get(argument):
        assert message(any_of=[argument]) == message(each=[argument]) == f"{argument}: {reason}".replace("\0", "\\x00")
    else:
        refuse_missing([argument], each=[argument])


@pytest.mark.usefixtures("here")
def test_of_several_pictures_one_is_enough_where_the_others_may_be_left_out() -> None:
    refuse_missing(["none.png", "here.png"])
    assert message(each=["here.png", None, "none.png"]) == "none.png: no such file or folder"
    assert message(any_of=["none.png", "*.gif", "more.png"]) == "none.png and 2 more: no such file or folder"


@pytest.mark.usefixtures("here")
def test_networks_are_names_or_files() -> None:
    refuse_missing(generators=[*SHIPPED_GENERATORS, "here.png"], embedders=[*SHIPPED_EMBEDDERS, None, "here.png"])
    assert message(generators=["cats"]).startswith("cats: neither a file nor one of the bundled generators: mobile-")
    assert message(embedders=["cats"]) == "cats: neither a file nor one of the bundled networks: base-ffhq"


@pytest.mark.usefixtures("here")
def test_what_cannot_be_looked_at_is_left_to_who_reads_it(tmp_path: Path) -> None:
    refuse_missing(each=[tmp_path / ("long" * 100)])


@pytest.mark.usefixtures("here")
def test_what_is_not_there_is_told_before_anything_heavy_is_imported() -> None:
    Path("here.npz").touch()
    commands = [*UNNAMED, *MISSING]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *commands], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"2 [] {command}" for command in commands]
    errors = done.stderr.splitlines()
    assert len(errors) == len(commands)
    assert errors[: len(UNNAMED)] == [f"latentloop: {text}" for text in UNNAMED.values()]
    for line in errors[len(UNNAMED) :]:
        assert line.startswith("latentloop: none")
        assert ": no such file or folder" in line or ": neither a file nor one of the " in line

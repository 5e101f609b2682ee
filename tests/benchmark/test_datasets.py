import re
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest

from latentloop.benchmark.datasets import ImageSet, find_images
from latentloop.benchmark.options import DataName
from latentloop.errors import UserError

# Of CelebA's images 1 to 6, the even ones are tests; CelebA-HQ's 0, 2, 10 and 11 were made of such.
PARTITION = "000001.jpg 0\n000002.jpg 2\n000003.jpg 1\n000004.jpg 2\n000005.jpg 0\n000006.jpg 2\n"
MAPPING = """idx     orig_idx   orig_file
0          3      000004.jpg
1          0      000001.jpg
2          5      000006.jpg
10         1      000002.jpg
11         5      000006.jpg
12         2      000003.jpg
"""
ROBIN, ANNE, ROBERT = "53_Robin_Williams_0001.jpg", "29_Anne_Hathaway_0012.jpg", "45_Robert_Downey_Jr._0003.jpg"


def fill(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(folder: Path, images: ImageSet) -> list[str]:
    return [photo.relative_to(folder).as_posix() for photo in images.photos]


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """A folder for CelebA-HQ, without images."""
    (tmp_path / "CelebA-HQ-to-CelebA-mapping.txt").write_text(MAPPING)
    (tmp_path / "list_eval_partition.txt").write_text(PARTITION)
    return tmp_path


def test_a_folder_gives_its_photos_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    fill(tmp_path, ["10.png", "9.jpg", "b.webp", "a.jpg", "notes.txt", "deeper/1.jpg"])
    images = find_images("folder", tmp_path)
    assert found(tmp_path, images) == ["9.jpg", "10.png", "a.jpg", "b.webp"]
    assert (images.name, images.missing) == ("folder", ())


@pytest.mark.parametrize(
    "name", ["{}.jpg", "{}.png", "{:05}.jpg", "{:06}.png", "CelebA-HQ-img/{}.jpg", "images/{}.JPG"]
)
def test_celeba_hq_is_its_test_split_wherever_and_however_named(celeba: Path, name: str) -> None:
    fill(celeba, [name.format(index) for index in range(13)])
    images = find_images("celeba-hq", celeba)
    assert found(celeba, images) == [name.format(index) for index in (0, 2, 10, 11)]
    assert images.missing == ()


def test_the_mapping_may_lack_its_header_and_end_its_lines_as_windows_does(celeba: Path) -> None:
    fill(celeba, ["10.jpg"])
    rows = MAPPING.split("\n", 1)[1].replace("\n", "\r\n")
    (celeba / "CelebA-HQ-to-CelebA-mapping.txt").write_bytes(b"\xef\xbb\xbf" + rows.encode())
    assert find_images("celeba-hq", celeba).missing == ("0.jpg", "2.jpg", "11.jpg")


def test_an_image_that_is_there_twice_is_taken_once(celeba: Path) -> None:
    fill(celeba, ["images/0.jpg", "0.png", "images/2.png", "images/00002.jpg"])
    assert found(celeba, find_images("celeba-hq", celeba)) == ["0.png", "images/00002.jpg"]


def test_a_folder_with_the_name_of_an_image_is_none(celeba: Path) -> None:
    fill(celeba, ["2.jpg", "0.jpg/inside.txt"])
    assert find_images("celeba-hq", celeba).missing == ("0.jpg", "10.jpg", "11.jpg")


@pytest.mark.parametrize("name", ["30000.jpg", "CelebA-HQ-img/202599.jpg"])
def test_images_that_are_counted_from_one_or_are_celebas_own_are_refused(celeba: Path, name: str) -> None:
    fill(celeba, ["0.jpg", name])
    with pytest.raises(UserError, match=rf"{name}: not an image of CelebA-HQ, which has 0\.jpg to 29999\.jpg"):
        find_images("celeba-hq", celeba)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("CelebA-HQ-to-CelebA-mapping.txt", "CelebAMask-HQ, github"),
        ("list_eval_partition.txt", "CelebA, mmlab"),
    ],
)
def test_a_missing_text_file_is_named_with_where_it_comes_from(celeba: Path, name: str, source: str) -> None:
    (celeba / name).unlink()
    with pytest.raises(UserError, match=rf"^{re.escape(str(celeba))}: {name} is missing; it comes with {source}"):
        find_images("celeba-hq", celeba)


@pytest.mark.parametrize(
    ("name", "line", "problem"),
    [
        ("CelebA-HQ-to-CelebA-mapping.txt", "30 5", "such as '0 119613 119614.jpg', got '30 5'"),
        ("CelebA-HQ-to-CelebA-mapping.txt", "x 5 000006.jpg", "such as '0 119613 119614.jpg', got 'x 5 000006.jpg'"),
        ("CelebA-HQ-to-CelebA-mapping.txt", "13 6 000007.jpg", "'000007.jpg' is not in list_eval_partition.txt"),
        ("list_eval_partition.txt", "000007.jpg", "such as '000001.jpg 0', got '000007.jpg'"),
        ("list_eval_partition.txt", "000007.jpg 3", "such as '000001.jpg 0', got '000007.jpg 3'"),
        ("list_eval_partition.txt", "000007.jpg\x1b[2J 0 1", r"such as '000001.jpg 0', got '000007.jpg\x1b[2J 0 1'"),
    ],
)
def test_a_malformed_line_is_named(celeba: Path, name: str, line: str, problem: str) -> None:
    fill(celeba, ["0.jpg"])
    text = (celeba / name).read_text()
    (celeba / name).write_text(f"{text}\n{line}\n")  # after an empty line
    number = text.count("\n") + 2
    with pytest.raises(UserError, match=rf"{name}: line {number}: .*{re.escape(problem)}$"):
        find_images("celeba-hq", celeba)


def test_a_mapping_without_test_images_and_one_that_is_no_text_are_refused(celeba: Path) -> None:
    mapping = celeba / "CelebA-HQ-to-CelebA-mapping.txt"
    mapping.write_text(MAPPING.split("\n", 1)[0])
    with pytest.raises(UserError, match=r"mapping\.txt: names no image of CelebA's test split"):
        find_images("celeba-hq", celeba)
    mapping.write_bytes(b"\xff\xfe0\x00")
    with pytest.raises(UserError, match=r"mapping\.txt: not text in UTF-8$"):
        find_images("celeba-hq", celeba)


@pytest.mark.parametrize("folder", [".", "CACD2000"])
def test_cacd_is_all_files_named_by_age_name_and_number(tmp_path: Path, folder: str) -> None:
    fill(tmp_path / folder, [ROBIN, ANNE, ROBERT, "Robin_Williams_0001.jpg", "53_0001.jpg", "photo.jpg"])
    images = find_images("cacd", tmp_path)
    assert found(tmp_path / folder, images) == [ANNE, ROBERT, ROBIN]
    assert images.missing == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cacd.txt", f"{ROBIN}\n\n 14_Nobody_0001.jpg \n{ANNE}\n{ROBIN}\n"),
        ("cacd.csv", f'age,name\n53,{ROBIN}\n\n14,14_Nobody_0001.jpg\n29,"{ANNE}"\n'),
    ],
)
def test_a_list_says_which_images_of_cacd_are_meant(tmp_path: Path, name: str, text: str) -> None:
    fill(tmp_path, [ROBIN, ROBERT, f"CACD2000/{ANNE}"])
    (tmp_path / name).write_text(text)
    images = find_images("cacd", tmp_path)
    assert found(tmp_path, images) == [f"CACD2000/{ANNE}", ROBIN]
    assert images.missing == ("14_Nobody_0001.jpg",)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("cacd.txt", f"{ROBIN}\n../{ROBIN}\n", f"line 2: expected a line such as '{ROBIN}', got '../{ROBIN}'"),
        ("cacd.csv", f"name,age\n{ROBIN},53\n,29\n", f"line 3: expected a line such as '{ROBIN}', got ''"),
        ("cacd.csv", f"age,name\n53,{ROBIN}\n29\n", f"line 3: expected a line such as '{ROBIN}', got ''"),
        ("cacd.csv", f"{ROBIN}\n", "line 1: expected a header with a column `name`"),
        ("cacd.csv", "", "line 1: expected a header with a column `name`"),
        ("cacd.csv", f"name\n{'x' * 200_000}\n", "line 2: field larger than field limit (131072)"),
    ],
)
def test_a_malformed_list_is_refused(tmp_path: Path, name: str, text: str, problem: str) -> None:
    fill(tmp_path, [ROBIN])
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=rf"{name}: {re.escape(problem)}$"):
        find_images("cacd", tmp_path)


def test_two_lists_are_refused(tmp_path: Path) -> None:
    fill(tmp_path, [ROBIN, "cacd.txt", "cacd.csv"])
    with pytest.raises(UserError, match=r"has both cacd\.txt and cacd\.csv"):
        find_images("cacd", tmp_path)


@pytest.mark.parametrize("layout", [["60000.png", "69999.png"], ["60000.jpg", "69000/69999.png"]])
def test_ffhq_is_its_last_ten_thousand(tmp_path: Path, layout: list[str]) -> None:
    fill(tmp_path, [*layout, "59999.png", "00000/00000.png", "70000.png", "61000/notes.txt"])
    images = find_images("ffhq", tmp_path)
    assert found(tmp_path, images) == layout
    assert (len(images.missing), images.missing[0], images.missing[-1]) == (9_998, "60001.png", "69998.png")


def test_a_limit_takes_the_first_of_the_set_by_number(tmp_path: Path, celeba: Path) -> None:
    fill(celeba, ["2.jpg", "10.jpg", "11.jpg"])
    images = find_images("celeba-hq", tmp_path, limit=3)
    assert (found(tmp_path, images), images.missing) == (["2.jpg", "10.jpg"], ("0.jpg",))
    with pytest.raises(UserError, match=r"none of the first 1 of celeba-hq found; looked for 0\.jpg to 29999\.jpg"):
        find_images("celeba-hq", tmp_path, limit=1)
    assert len(find_images("celeba-hq", tmp_path, limit=100).photos) == 3
    assert len(find_images("folder", tmp_path, limit=2).photos) == 2


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(tmp_path: Path, limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit must be 1 or more, got {limit}"):
        find_images("folder", tmp_path, limit=limit)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ([], "ffhq: 2 images found"),
        (["60012.png"], "ffhq: 2 of 3 images found; missing 1: 60012.png"),
        ([f"{n}.png" for n in range(5)], "ffhq: 2 of 7 images found; missing 5: 0.png, 1.png, 2.png, 3.png, 4.png"),
        (
            [f"{n}.png" for n in range(2998)],
            "ffhq: 2 of 3,000 images found; missing 2,998: 0.png, 1.png, 2.png, 3.png, 4.png, ...",
        ),
    ],
)
def test_a_summary_counts_and_names_what_is_missing(missing: list[str], said: str) -> None:
    assert ImageSet("ffhq", (Path("a.png"), Path("b.png")), tuple(missing)).summary() == said


def test_one_image_is_counted_in_the_singular() -> None:
    assert ImageSet("cacd", (Path(ROBIN),), ()).summary() == "cacd: 1 image found"


@pytest.mark.parametrize("data", get_args(DataName))
def test_a_missing_folder_and_a_file_are_refused(tmp_path: Path, data: DataName) -> None:
    fill(tmp_path, ["file"])
    with pytest.raises(UserError, match=r"missing: no such folder$"):
        find_images(data, tmp_path / "missing")
    with pytest.raises(UserError, match=r"file: a file, not a folder$"):
        find_images(data, tmp_path / "file")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("folder", "no photos in this folder; known endings: "),
        ("celeba-hq", "no image of celeba-hq found; looked for 0.jpg to 29999.jpg, "),
        ("cacd", f"no image of cacd found; looked for {ROBIN} and the like, "),
        ("ffhq", "no image of ffhq found; looked for 60000.png to 69999.png, "),
    ],
)
def test_a_folder_with_nothing_of_the_set_is_told_what_was_looked_for(celeba: Path, data: DataName, said: str) -> None:
    with pytest.raises(UserError, match=f"^{re.escape(f'{celeba}: {said}')}"):
        find_images(data, celeba)


@pytest.mark.parametrize("data", get_args(DataName))
def test_a_folder_that_cannot_be_read_is_refused(celeba: Path, monkeypatch: pytest.MonkeyPatch, data: DataName) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(UserError, match=rf"^{re.escape(str(celeba))}: Permission denied$"):
        find_images(data, celeba)

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

import pytest
import torch
from torch import Tensor

from latentloop.cache import CodeCache, CodeSpace, space_of
from latentloop.errors import UserError

SPACE = CodeSpace("0123456789abcdef", num_ws=4, w_dim=8, loss={"lambda_lpips": 0.8})

# Updates the same photos with losses of its own; says each one that is safe.
WORKER = """
import sys
from pathlib import Path
import torch
from latentloop.cache import CodeCache, CodeSpace

path, number, rounds = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
cache = CodeCache(path, CodeSpace("0123456789abcdef", num_ws=4, w_dim=8, loss={"lambda_lpips": 0.8}))
randomness = torch.Generator().manual_seed(number)
for step in range(rounds):
    photo = int(torch.randint(20, (), generator=randomness))
    loss = torch.rand(1, generator=randomness)
    cache.update([photo.to_bytes(32, "big")], loss.expand(1, 4, 8), loss, step=step)
    print(photo, loss.item(), flush=True)
"""


@pytest.fixture
def cache(tmp_path: Path) -> CodeCache:
    return CodeCache(tmp_path / "codes.cache", SPACE)


def photo(number: int) -> bytes:
    return number.to_bytes(32, "big")


def codes(count: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 4, 8, generator=torch.Generator().manual_seed(seed))


def losses(*values: float) -> Tensor:
    return torch.tensor(values)


def found_losses(cache: CodeCache, *numbers: int) -> list[float | None]:
    return [found.loss if found else None for found in cache.lookup([photo(number) for number in numbers])]


def test_what_was_put_in_comes_out(cache: CodeCache) -> None:
    assert cache.update([photo(1), photo(2)], codes(2), losses(0.5, 0.25), step=7) == [True, True]
    one, none, two = cache.lookup([photo(1), photo(3), photo(2)])
    assert none is None
    assert one is not None
    assert two is not None
    assert (one.loss, one.step, two.loss) == (0.5, 7, 0.25)
    torch.testing.assert_close(torch.stack([one.w_plus, two.w_plus]), codes(2), rtol=1e-3, atol=1e-6)
    assert torch.equal(torch.stack([one.w_plus, two.w_plus]), codes(2).half().float())
    assert list(cache.photos()) == [photo(1), photo(2)]
    assert len(cache) == 2


def test_the_lower_loss_stays(cache: CodeCache) -> None:
    photos, first, second = [photo(1), photo(2), photo(3)], codes(3), codes(3, seed=1)
    cache.update(photos, first, losses(0.5, 0.5, 0.5), step=1)
    assert cache.update(photos, second, losses(0.4, 0.6, 0.5), step=2) == [True, False, False]
    found = [one for one in cache.lookup(photos) if one]
    assert [one.step for one in found] == [2, 1, 1]
    assert torch.equal(found[0].w_plus, second.half().float()[0])
    assert torch.equal(found[1].w_plus, first.half().float()[1])


def test_of_one_photo_twice_in_an_update_the_better_stays(cache: CodeCache) -> None:
    assert cache.update([photo(1)] * 3, codes(3), losses(0.5, 0.3, 0.4), step=1) == [True, True, False]
    assert found_losses(cache, 1) == pytest.approx([0.3])


def test_it_is_there_when_opened_again(cache: CodeCache) -> None:
    cache.update([photo(1)], codes(1), losses(0.5), step=1)
    cache.close()
    assert found_losses(CodeCache(cache.path, SPACE), 1) == [0.5]
    assert found_losses(cache, 1) == [0.5]  # a closed one opens by itself


def test_float32_is_exact_and_a_file_keeps_its_type(tmp_path: Path) -> None:
    path = tmp_path / "codes.cache"
    CodeCache(path, SPACE, dtype="float32").update([photo(1)], codes(1), losses(0.5), step=1)
    again = CodeCache(path, SPACE, dtype="float16")
    (found,) = again.lookup([photo(1)])
    assert found is not None
    assert torch.equal(found.w_plus, codes(1)[0])


@pytest.mark.parametrize(
    ("w_plus", "loss", "problem"),
    [
        (codes(2), losses(0.5), "equally many"),
        (codes(1)[:, :3], losses(0.5), "codes must be"),
        (codes(1), losses(float("nan")), "not finite"),
        (codes(1) / 0, losses(0.5), "not finite"),
        (codes(1) * 1e6, losses(0.5), "not finite"),  # beyond float16
    ],
)
def test_what_does_not_belong_there_is_refused(cache: CodeCache, w_plus: Tensor, loss: Tensor, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        cache.update([photo(1)], w_plus, loss, step=1)
    assert len(cache) == 0


def test_a_failed_update_changes_nothing(cache: CodeCache) -> None:
    cache.update([photo(1)], codes(1), losses(0.5), step=1)
    # As a full disk does, in the middle of an update.
    cache._connect().execute("PRAGMA max_page_count = 1")
    with pytest.raises(UserError, match=r"codes\.cache: cannot use this cache: database or disk is full"):
        cache.update([photo(1), *map(photo, range(10, 500))], codes(491), torch.zeros(491), step=2)
    assert found_losses(cache, 1, 10) == [0.5, None]


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (CodeSpace("f" * 16, 4, 8, SPACE.loss), "fingerprint 0123456789abcdef, not ffffffffffffffff"),
        (CodeSpace(SPACE.fingerprint, 4, 9, SPACE.loss), r"shape \[4, 8\], not \[4, 9\]"),
        (CodeSpace(SPACE.fingerprint, 4, 8, {"lambda_lpips": 1.0}), "lambda_lpips 0.8, not 1.0"),
    ],
)
def test_codes_of_another_space_are_refused(cache: CodeCache, other: CodeSpace, named: str) -> None:
    with pytest.raises(UserError, match=rf"codes.cache: a cache with {named}"):
        CodeCache(cache.path, other)


def test_a_strangers_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    text, database = tmp_path / "text", tmp_path / "database"
    text.write_text("not a database, but long enough to be read as one " * 100)
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE mine (number INTEGER)")
    connection.close()
    for path in (text, database):
        before = path.read_bytes()
        with pytest.raises(UserError, match="not a cache of codes"):
            CodeCache(path, SPACE)
        assert path.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["database", "text"]
    with pytest.raises(UserError, match="cannot use this cache"):
        CodeCache(tmp_path, SPACE)


def test_threads_share_a_cache(cache: CodeCache) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: cache.update([photo(i % 5)], codes(1), losses(1 / (i + 1)), step=i), range(40)))
    assert found_losses(cache, *range(5)) == pytest.approx([1 / (i + 36) for i in range(5)])


def test_several_open_a_new_cache_at_once(tmp_path: Path) -> None:
    together = Barrier(4, timeout=120)

    def open_each(_: int) -> None:
        for number in range(25):
            together.wait()
            CodeCache(tmp_path / f"{number}.cache", SPACE).close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_each, range(4)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_opens_the_file_anew(cache: CodeCache) -> None:
    cache.update([photo(1)], codes(1), losses(0.5), step=1)
    child = os.fork()
    if not child:  # pragma: no cover - in the other process
        cache.update([photo(2)], codes(1), losses(0.25), step=2)
        cache.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert found_losses(cache, 1, 2) == [0.5, 0.25]


def test_several_processes_lose_no_better_code(tmp_path: Path) -> None:
    path, command = tmp_path / "codes.cache", [sys.executable, "-c", WORKER]
    workers = [
        subprocess.Popen([*command, str(path), str(number), "150"], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    best: dict[int, float] = {}
    for worker in workers:
        said, _ = worker.communicate(timeout=120)
        assert worker.returncode == 0
        for number, loss in (line.split() for line in said.splitlines()):
            best[int(number)] = min(best.get(int(number), 1.0), float(loss))
    cache = CodeCache(path, SPACE)
    assert len(best) == len(cache) == 20
    for key, lowest in best.items():
        (found,) = cache.lookup([photo(key)])
        assert found is not None
        assert found.loss == lowest
        torch.testing.assert_close(found.w_plus, torch.full((4, 8), lowest), rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot kill so")
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "codes.cache"
    command = [sys.executable, "-c", WORKER, str(path), "0", "1000000"]
    best: dict[int, float] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        for _ in range(200):
            number, loss = worker.stdout.readline().split()
            best[int(number)] = min(best.get(int(number), 1.0), float(loss))
        worker.send_signal(signal.SIGKILL)
    cache = CodeCache(path, SPACE)
    found = dict(zip(best, found_losses(cache, *best), strict=True))
    # It may have gone on for a few updates between its last words and the kill.
    assert all(value is not None and value <= best[number] for number, value in found.items())
    assert cache._connect().execute("PRAGMA integrity_check").fetchone() == ("ok",)


# ruff: noqa: S608 - statements that a hostile file is made with
ENDLESS = "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c)"


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE about", f"CREATE VIEW about AS {ENDLESS} SELECT 'n' || i AS name, '1' AS value FROM c"],
        ["DROP TABLE best", f"CREATE VIEW best AS {ENDLESS} SELECT x'00' photo, 0.5 loss, 1 step, x'00' code FROM c"],
        [f"CREATE TRIGGER t AFTER UPDATE ON best BEGIN INSERT INTO about {ENDLESS} SELECT 'n' || i, '1' FROM c; END"],
        ["DROP TABLE best", "CREATE TABLE best (photo BLOB, loss REAL, step INTEGER, code AS (zeroblob(900000000)))"],
        [f"INSERT INTO about {ENDLESS} SELECT 'n' || i, '1' FROM c LIMIT 1000"],
        ["UPDATE about SET value = x'ff'"],
        ["INSERT INTO about VALUES (NULL, '1')"],
        ["UPDATE about SET value = '[-2, -3]' WHERE name = 'shape'"],
        ["UPDATE about SET value = '[1]' WHERE name = 'loss'"],
        ["UPDATE about SET value = '[1]' WHERE name = 'dtype'"],
        [f"UPDATE about SET value = '{'[' * 5000}' WHERE name = 'loss'"],
        ["UPDATE best SET loss = 'abc'"],
        ["UPDATE best SET loss = 9e999"],
        ["UPDATE best SET step = x'00'"],
        ["UPDATE best SET code = 'xyz'"],
        ["UPDATE best SET code = x'001122'"],
        ["UPDATE best SET code = zeroblob(100000000)"],
        ["UPDATE best SET photo = 'text'"],
    ],
)
def test_a_file_is_not_believed(cache: CodeCache, statements: list[str]) -> None:
    cache.update([b"a" * 32], torch.zeros(1, 4, 8), torch.tensor([0.5]), step=1)
    cache.close()
    with closing(sqlite3.connect(cache.path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    with pytest.raises(UserError, match=r"codes\.cache: (a cache with|not a cache|damaged)") as caught:
        read_all(cache.path)
    assert str(caught.value).isprintable()


def read_all(path: Path) -> None:
    cache = CodeCache(path, SPACE)
    _ = cache.lookup([b"a" * 32]), list(cache.photos()), list(cache.losses())


@pytest.fixture
def locked_folder() -> Iterator[Path]:
    """A folder that the process cannot write to once it is locked, even if it runs as root."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)
        if os.geteuid() != os.getuid():
            os.seteuid(os.getuid())
        Path(name).chmod(0o755)


def lock(folder: Path) -> None:
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)  # nobody


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are others there")
def test_a_cache_in_a_folder_that_cannot_be_written_to_is_read(locked_folder: Path) -> None:
    path = locked_folder / "codes.cache"
    cache = CodeCache(path, SPACE)
    cache.update([photo(1)], codes(1), torch.tensor([0.5]), step=3)
    cache.close()
    lock(locked_folder)
    with pytest.raises(UserError, match="cannot use this cache"):
        CodeCache(path, SPACE)
    again = CodeCache(path, space_of(path), read_only=True)
    (found,) = again.lookup([photo(1)])
    again.close()
    assert found is not None
    assert list(locked_folder.iterdir()) == [path]


def test_reading_a_cache_writes_nothing_and_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unable to open"):
        CodeCache(tmp_path / "none.cache", SPACE, read_only=True)
    assert not list(tmp_path.iterdir())


def test_a_flipped_bit_in_a_row_is_noticed(cache: CodeCache) -> None:
    cache.update([photo(1)], codes(1), torch.tensor([0.5]), step=3)
    with closing(sqlite3.connect(cache.path)) as database:
        ((code, loss, step),) = database.execute("SELECT code, loss, step FROM best").fetchall()
        flipped = [bytes([*code[:i], code[i] ^ 1, *code[i + 1 :]]) for i in range(len(code))]
        rows = [(one, loss, step) for one in flipped] + [(code, 0.25, step), (code, loss, 4), (code + b"a", loss, step)]
        for row in rows:
            database.execute("UPDATE best SET code = ?, loss = ?, step = ?", row)
            database.commit()
            with pytest.raises(UserError, match=r"codes\.cache: damaged: a code does not match its checksum"):
                cache.lookup([photo(1)])
        database.execute("UPDATE best SET code = ?, loss = ?, step = ?, photo = ?", (code, loss, step, photo(2)))
        database.commit()
    with pytest.raises(UserError, match="does not match its checksum"):
        cache.lookup([photo(2)])


def test_rows_of_before_there_were_checksums_are_read(cache: CodeCache) -> None:
    cache.update([photo(1)], codes(1), torch.tensor([0.5]), step=3)
    with closing(sqlite3.connect(cache.path)) as database:
        database.execute("UPDATE best SET code = substr(code, 1, ?)", (2 * 4 * 8,))
        database.commit()
    (found,) = cache.lookup([photo(1)])
    assert found is not None
    torch.testing.assert_close(found.w_plus, codes(1)[0], atol=1e-3, rtol=0)
    assert cache.update([photo(1)], codes(1, seed=1), torch.tensor([0.25]), step=4) == [True]
    assert cache.lookup([photo(1)])[0] is not None

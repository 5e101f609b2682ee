"""Measure `latentloop bulk` on this machine, and break it on purpose.

    python scripts/bulk_trials.py speed photos --count 500
    python scripts/bulk_trials.py stages photos
    python scripts/bulk_trials.py memory photos --count 10000
    python scripts/bulk_trials.py kills --kills 20

speed compares a plain loop in one process, one worker and two workers of one thread each, from a cold start to the last
record. stages tells what a photo costs, in seconds of one thread and in bytes. memory runs one job over many photos, 50
of them damaged, and prints the memory of all its processes as it goes on. kills ends the driver or a worker (SIGKILL)
at random moments of jobs with a tiny network, goes on with each job, and counts lost and doubled records.
"""

import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path

import psutil
import torch
import tyro

from latentloop.allocator import keep_freed_memory
from latentloop.bulk import BulkOptions, find_bulk_photos, load_photo_coder
from latentloop.bulk.coder import Row
from latentloop.bulk.dataset import Stage
from latentloop.bulk.sink import write_records
from latentloop.embedding.options import FaceOptions
from latentloop.images import jpeg_bytes, read_image
from latentloop.records import RecordFolder
from latentloop.records.schema import CROP, RECONSTRUCTION
from tiny_networks import write_tiny_networks

DAMAGED = 50
"""Photos that are no images, among those of the trial of memory."""
GONE = (psutil.NoSuchProcess, psutil.ZombieProcess)
"""Errors of processes that are over."""
LOOK = 2.0
"""Seconds between two looks at the memory."""


def speed(
    photos: str, /, *, count: int = 500, figures: bool = True, aligned: bool = False, out: Path | None = None
) -> None:
    """Compare a plain loop with one worker and with two.

    Args:
        photos: Folder of photos; they are taken again and again if there are fewer.
        count: Number of photos.
        figures: Draw and measure the codes, too.
        aligned: The photos are aligned already.
        out: JSON file for the seconds.
    """
    flags = ["--figures"] * figures + ["--no-figures"] * (not figures) + ["--aligned"] * aligned
    with tempfile.TemporaryDirectory() as name:
        names = copies(Path(photos), Path(name) / "photos", count)
        loop = [sys.executable, __file__, "loop", str(names), *flags]
        plain = seconds_of(loop)
        rows = [{"how": "a plain loop", "seconds": round(plain, 2)}]
        print(f"a plain loop: {plain:.1f} s, {count / plain:.2f} photos a second", flush=True)
        for workers in (1, 2):
            records = str(Path(name) / f"records-{workers}")
            command = [sys.executable, "-m", "latentloop", "bulk", str(names), "--out", records, "--threads", "1"]
            command += ["--workers", str(workers), *[flag for flag in flags if flag != "--figures"]]
            seconds = seconds_of(command)
            rows.append({"how": f"{workers} worker{'s' * (workers > 1)}", "seconds": round(seconds, 2)})
            rate = f"{count / seconds:.2f} photos a second"
            print(f"{workers} worker(s): {seconds:.1f} s, {rate}, {plain / seconds:.2f} times the loop", flush=True)
    if out:
        out.write_text(json.dumps({"count": count, "rows": rows}))


def loop(photos: str, /, *, figures: bool = True, aligned: bool = False) -> None:
    """Find the codes of photos in this process, with one thread, as a script of a few lines would.

    Args:
        photos: Folder of the photos.
        figures: Draw and measure the codes, too.
        aligned: The photos are aligned already.
    """
    torch.set_num_threads(1)
    coder = load_photo_coder(BulkOptions(figures=figures, faces=FaceOptions(aligned=aligned)))
    found = find_bulk_photos([photos])
    for i in range(0, len(found), coder.options.batch):
        coder.rows(found[i : i + coder.options.batch])


def stages(photos: str, /, *, count: int = 64) -> None:
    """Tell what a photo costs, without Ray: seconds of one thread for each stage, bytes of its record and pictures.

    Args:
        photos: Folder of photos.
        count: Number of photos, after as many as a batch has to begin with.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    full = load_photo_coder(BulkOptions(pictures=True))
    codes = load_photo_coder(BulkOptions(figures=False), full.finder.components)
    found = find_bulk_photos([photos])[: full.options.batch + count]
    for coder in (full, codes):
        coder.rows(found[: full.options.batch])
    found = found[full.options.batch :]
    faces, finding = timed(lambda: full.finder.rows(found))
    _, coding = timed(lambda: codes.coder.rows(faces))
    rows, all_of_it = timed(lambda: full.coder.rows(faces))
    for stage, seconds in (("finding", finding), ("coding", coding), ("figures and pictures", all_of_it - coding)):
        print(f"{stage}: {seconds / len(found):.3f} s a photo")
    with tempfile.TemporaryDirectory() as name:
        table = Stage(full.options, full.coder.run).table_of(rows, CROP, RECONSTRUCTION)
        write_records(table, Path(name), "all", full.coder.run)
        sizes = [(Path(name) / part).stat().st_size for part in ("records/all.parquet", "pictures/all.tar")]
    photo = sum(Path(one.file).stat().st_size for one in found)
    for what, size in (("photo", photo), ("record", sizes[0]), ("pictures", sizes[1])):
        print(f"{what}: {size / len(found):,.0f} bytes")


def memory(photos: str, /, *, count: int = 10_000, workers: int = 2) -> None:
    """Watch the memory of a job over many small photos, aligned ones that the generator drew.

    Args:
        photos: Folder of such photos; each is taken again and again, as JPEGs of different qualities.
        count: Number of photos.
        workers: Number of workers.
    """
    with tempfile.TemporaryDirectory() as name:
        names, out = variants(Path(photos), Path(name) / "photos", count), Path(name) / "records"
        command = [sys.executable, "-m", "latentloop", "bulk", str(names), "--out", str(out), "--no-figures"]
        command += ["--aligned", "--workers", str(workers), "--threads", "1"]
        begun = time.perf_counter()
        job = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # noqa: S603
        reached, most = 0, 0.0
        while job.poll() is None:
            time.sleep(LOOK)
            done, used = len(finished_ids(out)), memory_of(job.pid)
            most = max(most, used)
            if done // 1000 > reached:
                reached = done // 1000
                print(f"{done:6} photos, {time.perf_counter() - begun:6.0f} s: {most / 1e6:.0f} MB at most", flush=True)
                most = 0.0
        seconds = time.perf_counter() - begun
        rows = list(RecordFolder(out).rows(("path", "status")))
        errors = sum(row["status"] == "error" for row in rows)
        size = sum(path.stat().st_size for path in (out / "records").iterdir())
        print(f"{seconds:.0f} s, {count / seconds:.2f} photos a second, {size / len(rows):.0f} bytes a photo")
        print(f"{len(rows)} rows of {len({row['path'] for row in rows})} photos, {errors} errors ({DAMAGED} damaged)")


def kills(*, kills: int = 20, photos: int = 60, seed: int = 0) -> None:
    """Kill jobs at random moments, go on with each, and count lost and doubled records.

    Args:
        kills: Number of kills; half of them are of the driver, half of a worker.
        photos: Photos of each job.
        seed: Seed of the moments.
    """
    moments, lost, doubled, odd, amid = random.Random(seed), 0, 0, 0, 0  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        command = tiny_job(Path(name), photos)
        seconds = seconds_of([*command, "--out", str(Path(name) / "wanted")])
        wanted = codes_in(Path(name) / "wanted")
        for i in range(kills):
            out = Path(name) / f"out-{i}"
            amid += killed(victim_of(i), [*command, "--out", str(out)], moments.uniform(0.1, 0.8) * seconds)
            odd += sum(not is_whole(file) for file in out.rglob("*.parquet") if file.parent.name == "records")
            seconds_of([*command, "--out", str(out)])
            rows = list(RecordFolder(out).rows(("path",)))
            lost += len(wanted.keys() - {str(row["path"]) for row in rows})
            doubled += len(rows) - len({row["path"] for row in rows})
            odd += codes_in(out) != wanted
            print(f"{i + 1} kills, {amid} amid a job: {lost} lost, {doubled} doubled, {odd} otherwise", flush=True)


def victim_of(i: int) -> Callable[[psutil.Process], psutil.Process | None]:
    """Choose what the kill of a number ends: the driver, or one of its workers."""
    if i % 2 == 0:
        return lambda driver: driver
    return lambda driver: next((one for one in driver.children(recursive=True) if "PhotoActor" in title(one)), None)


def killed(choose: Callable[[psutil.Process], psutil.Process | None], command: Sequence[str], seconds: float) -> bool:
    """Run a command, and kill one of its processes after some seconds, or once it is there; returns whether one was."""
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=nowhere, stderr=nowhere) as job:  # noqa: S603
        driver, until = psutil.Process(job.pid), time.monotonic() + seconds
        victim = None
        while job.poll() is None and not victim:
            time.sleep(0.05)
            victim = choose(driver) if time.monotonic() >= until else None
        if victim:
            victim.send_signal(signal.SIGKILL)
        job.wait()
        return victim is not None


def tiny_job(folder: Path, photos: int) -> list[str]:
    """Make a tiny generator with a network and photos; returns the command that embeds them."""
    write_tiny_networks(folder, photos)
    nets = ["--generator", str(folder / "tiny.safetensors"), "--embedder", str(folder / "network.safetensors")]
    command = [sys.executable, "-m", "latentloop", "bulk", str(folder / "photos"), *nets, "--aligned"]
    return [*command, "--batch", "2", "--rows", "4", "--workers", "2", "--threads", "1"]


def copies(photos: Path, folder: Path, count: int) -> Path:
    """Copy photos into a folder, again and again until there are enough; links would be the same photos."""
    folder.mkdir()
    known = [Path(photo.file) for photo in find_bulk_photos([str(photos)])]
    for i, photo in enumerate(islice(cycle(known), count)):
        shutil.copy(photo, folder / f"{i:06}{photo.suffix}")
    return folder


def variants(photos: Path, folder: Path, count: int) -> Path:
    """Write photos as JPEGs of different qualities, 50 of them damaged."""
    folder.mkdir()
    known = [Path(photo.file) for photo in find_bulk_photos([str(photos)])]
    for i, photo in enumerate(islice(cycle(known), count)):
        content = jpeg_bytes(read_image(photo), quality=50 + i // len(known) % 45)
        damaged = i % (count // DAMAGED) == 0
        (folder / f"{i:06}.jpg").write_bytes(content[: len(content) // 3] if damaged else content)
    return folder


def finished_ids(out: Path) -> frozenset[str]:
    """Paths of the photos whose records are written."""
    from latentloop.bulk.finished import finished_in

    return finished_in(out)


def memory_of(pid: int) -> float:
    """Memory that the processes of a job have for themselves, in bytes; what they share counts once for each."""
    total = 0.0
    with suppress(*GONE):
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            with suppress(*GONE):
                total += process.memory_full_info().uss
    return total


def title(process: psutil.Process) -> str:
    """Command line of a process, which Ray sets to what it does."""
    with suppress(*GONE):
        return " ".join(process.cmdline())
    return ""


def timed(work: Callable[[], list[Row]]) -> tuple[list[Row], float]:
    """Do something; returns its result and the seconds that it took."""
    begun = time.perf_counter()
    return work(), time.perf_counter() - begun


def is_whole(file: Path) -> bool:
    """Return whether a Parquet file can be read."""
    import pyarrow
    import pyarrow.parquet

    try:
        pyarrow.parquet.read_table(file)
    except (OSError, pyarrow.ArrowException):
        return False
    return True


def codes_in(out: Path) -> dict[str, list[float]]:
    """Codes by the photos' paths."""
    return {name: code.w_plus.flatten().tolist() for name, code in RecordFolder(out).codes()}


def seconds_of(command: Sequence[str]) -> float:
    """Run a command; returns the seconds that it took."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - begun


if __name__ == "__main__":
    tyro.extras.subcommand_cli_from_dict(
        {"speed": speed, "loop": loop, "stages": stages, "memory": memory, "kills": kills}
    )

from pathlib import Path

import pytest
import torch

from latentloop.errors import UserError
from latentloop.features.lpips import load_lpips
from latentloop.generators import MobileStyleGAN, load_generator
from latentloop.generators.mobilestylegan import Shape
from latentloop.training.distill_config import DistillConfig
from latentloop.training.distill_run import DistillJob
from latentloop.training.distillation import Distillation
from latentloop.training.student import make_student

CONFIG = DistillConfig(steps=6, batch=2, pool=4, repeats=1, trained_blocks=1)


def job(folder: Path, **settings: object) -> DistillJob:
    teacher = MobileStyleGAN(Shape(w_dim=8, num_ws=8, channels=(16, 16, 16, 8)), name="teacher", fingerprint="f")
    student = make_student(teacher, name="small", resolution=32, randomness=torch.Generator().manual_seed(0))
    for generator in (teacher, student):
        for parameter in generator.parameters():
            torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(1))
    return DistillJob(Distillation(teacher.requires_grad_(False), student, load_lpips(), CONFIG, 0), folder, settings)


def test_a_job_goes_on_from_what_is_on_disk(tmp_path: Path) -> None:
    whole = list(job(tmp_path / "whole").run())
    next(job(tmp_path / "twice").run())
    second = job(tmp_path / "twice")
    second.resume()
    assert second.distillation.step == 2
    rest = list(second.run())
    assert [line["step"] for line in rest] == [4, 6]
    assert [line["l1"] for line in rest] == [line["l1"] for line in whole[1:]]
    assert len((tmp_path / "twice" / "log.jsonl").read_text().splitlines()) == 3
    results = [(tmp_path / name / "small.safetensors").read_bytes() for name in ("whole", "twice")]
    assert results[0] == results[1]


def test_lines_of_the_log_that_the_checkpoint_does_not_know_are_dropped(tmp_path: Path) -> None:
    """As a kill between writing the log and writing the checkpoint leaves them."""
    steps = job(tmp_path).run()
    next(steps)
    checkpoint = (tmp_path / "checkpoint.safetensors").read_bytes()
    next(steps)
    (tmp_path / "checkpoint.safetensors").write_bytes(checkpoint)
    again = job(tmp_path)
    again.resume()
    assert [line["step"] for line in again.run()] == [4, 6]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 3


def test_the_student_of_a_job_is_a_generator_to_everybody(tmp_path: Path) -> None:
    done = job(tmp_path)
    list(done.run())
    student = load_generator(done.result)
    assert (student.name, student.resolution) == ("small", 32)
    w_plus = torch.randn(1, 8, 8, generator=torch.Generator().manual_seed(2))
    expected = done.distillation.result().synthesis(w_plus)
    torch.testing.assert_close(student.synthesis(w_plus), expected, atol=0.02, rtol=0.02)


def test_other_settings_and_strangers_are_refused(tmp_path: Path) -> None:
    next(job(tmp_path, seed=1).run())
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: made with seed 1, not 2; use that, or"):
        job(tmp_path, seed=2).resume()
    (tmp_path / "checkpoint.safetensors").unlink()
    with pytest.raises(UserError, match=r"small\.safetensors: in the way, and no checkpoint to go on from"):
        job(tmp_path).resume()
    (tmp_path / "small.safetensors").unlink()
    job(tmp_path).resume()  # as after a kill between the first line of the log and the first checkpoint
    assert (tmp_path / "log.jsonl").read_text() == ""


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "log.jsonl", "small.safetensors"])
def test_a_run_whose_parts_are_links_is_not_resumed(tmp_path: Path, name: str) -> None:
    next(job(tmp_path).run())
    (tmp_path / name).rename(tmp_path / "theirs")
    (tmp_path / name).symlink_to("theirs")
    with pytest.raises(UserError, match=f"{name}: a link, and results would go where it leads"):
        job(tmp_path).resume()


@pytest.mark.parametrize("line", ["not JSON", '{"loss": 1}', "[1]", '{"step": "one"}'])
def test_a_damaged_log_is_named(tmp_path: Path, line: str) -> None:
    next(job(tmp_path).run())
    (tmp_path / "log.jsonl").write_text(line)
    with pytest.raises(UserError, match=r"log\.jsonl: not the log of such a run, or damaged"):
        job(tmp_path).resume()


def test_the_student_follows_the_checkpoint(tmp_path: Path) -> None:
    """As a kill between writing the checkpoint and writing the student leaves them."""
    steps = job(tmp_path).run()
    next(steps)
    student = (tmp_path / "small.safetensors").read_bytes()
    next(steps)
    newest = (tmp_path / "small.safetensors").read_bytes()
    assert newest != student
    for left in (student, None):
        (tmp_path / "small.safetensors").unlink()
        if left:
            (tmp_path / "small.safetensors").write_bytes(left)
        job(tmp_path).resume()
        assert (tmp_path / "small.safetensors").read_bytes() == newest


def test_a_run_that_diverges_says_so_and_keeps_what_was_good(tmp_path: Path) -> None:
    diverging = job(tmp_path)
    steps = diverging.run()
    next(steps)
    saved = (tmp_path / "checkpoint.safetensors").read_bytes()
    diverging.distillation.student.synthesis.to_rgb.conv.weight.data.fill_(float("nan"))
    with pytest.raises(UserError, match="the loss of step 3 is not finite; run again with smaller steps"):
        next(steps)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == saved
    assert "NaN" not in (tmp_path / "log.jsonl").read_text()

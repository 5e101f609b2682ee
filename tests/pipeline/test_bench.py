from latentloop.generators import MobileStyleGAN
from latentloop.generators.mobilestylegan import Shape
from latentloop.losses import pixel_loss, toward
from latentloop.pipeline.bench import GeneratorBench, iterator_times


def tiny() -> MobileStyleGAN:
    shape = Shape(w_dim=8, num_ws=6, channels=(16, 16, 8))
    return MobileStyleGAN(shape, name="tiny", fingerprint="").requires_grad_(False)


def test_every_generator_batch_and_pass_has_its_row() -> None:
    lines = list(GeneratorBench([tiny()], (1, 2), runs=1, compiled=False).table())
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    assert len(rows) == 6
    assert all(len(row) == 9 for row in rows)
    assert [row[:5] for row in rows[2:]] == [
        ["tiny", "32", batch, "eager", name] for batch in "12" for name in ("forward", "forward and backward")
    ]


def test_a_step_is_split_in_the_generator_and_the_rest() -> None:
    step, rest = iterator_times(tiny(), toward(pixel_loss), runs=3)
    assert step > 0
    assert rest < 1

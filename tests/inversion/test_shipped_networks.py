"""The iterator with the networks that ship."""

from pathlib import Path

import torch

from latentloop.faces import align_faces, load_face_detector
from latentloop.generators import load_generator
from latentloop.images import read_image, resample
from latentloop.inversion import IteratorConfig, LatentIterator
from latentloop.latents import mean_code
from latentloop.losses import iterator_loss


def test_a_photos_losses_fall_and_do_not_depend_on_its_batch(portrait: Path) -> None:
    generator, detector = load_generator(), load_face_detector()
    photos = [read_image(portrait.with_name(name)) for name in ("female-1.jpg", "male-81.jpg")]
    target = torch.cat([resample(align_faces(photo, detector, 256)[0].image, 256) for photo in photos])
    iterator = LatentIterator(generator, iterator_loss(), IteratorConfig(steps=2))
    together = iterator.refine(target, mean_code(generator, 2)).losses
    alone = [iterator.refine(image[None], mean_code(generator)).losses for image in target]
    # Muon weighs directions of a tiny gradient like the others, with the rounding of float32 that a batch changes.
    torch.testing.assert_close(together, torch.cat(alone, dim=1), rtol=0.01, atol=0)
    assert (together[-1] < 0.9 * together[0]).all()

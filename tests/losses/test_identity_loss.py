import torch

from latentloop.features.mobilefacenet import load_mobilefacenet
from latentloop.losses import identity_loss
from latentloop.metrics import identity_similarity


def test_it_is_what_the_similarity_lacks_and_has_a_gradient() -> None:
    randomness = torch.Generator().manual_seed(0)
    image, target = (torch.rand(2, 3, 64, 64, generator=randomness) * 2 - 1 for _ in range(2))
    loss = identity_loss()(image.requires_grad_(), target)
    similarity = identity_similarity(image, target, load_mobilefacenet())
    torch.testing.assert_close(loss, 1 - similarity)
    (gradient,) = torch.autograd.grad(loss.sum(), image)
    step = image.detach() - 0.1 * gradient / gradient.flatten(1).norm(dim=1).view(2, 1, 1, 1)
    assert (identity_loss()(step, target) < loss).all()
    torch.testing.assert_close(identity_loss()(target, target), torch.zeros(2), atol=1e-5, rtol=0)

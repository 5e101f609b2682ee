import torch

from latentloop.faces import changed


def test_what_changed_is_taken_and_the_rest_is_not() -> None:
    before = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)) - 0.5
    after = before.clone()
    after[:, :, 150:200, 100:160] += 0.4
    weights = changed(before, after)
    assert weights.shape == (1, 1, 128, 128)
    assert weights[0, 0, 78:98, 53:77].min() > 0.95
    assert weights[0, 0, :50].max() == weights[0, 0, :, :25].max() == 0
    assert weights.diff(dim=2).abs().max() < 0.2


def test_nothing_changed() -> None:
    before = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert not changed(before, before).any()
    assert not changed(before, before + 0.03).any()


def test_all_changed() -> None:
    assert changed(torch.zeros(1, 3, 256, 256), torch.full((1, 3, 256, 256), 0.5)).min() == 1

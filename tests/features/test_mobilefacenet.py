from pathlib import Path

import numpy as np
import torch

from latentloop.features.mobilefacenet import load_mobilefacenet

GOLDEN = Path(__file__).parents[1] / "golden" / "mobilefacenet.npz"


def test_it_embeds_as_the_original_network_does() -> None:
    network = load_mobilefacenet()
    with np.load(GOLDEN) as values:
        normalised, expected = torch.from_numpy(values["input"]), torch.from_numpy(values["embedding"])
    image = 2 * (normalised * network.std + network.mean) - 1
    found = network(image)
    # The original weights agree to 1e-5; the rest is their rounding to float16, batch norms folded in.
    torch.testing.assert_close(found, expected, rtol=0, atol=0.02)
    assert torch.cosine_similarity(found, expected).item() > 0.99999

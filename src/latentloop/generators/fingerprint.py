"""Fingerprints of the weights that draw: generators of one latent space may differ in them."""

import hashlib

from torch import nn

from latentloop.generators.protocol import Generator


def weights_fingerprint(generator: Generator) -> str:
    """Compute the fingerprint of a generator's synthesis network, 16 hexadecimal digits; it takes some 20 ms.

    It is the same whichever project's file a network was read from, and on every device. Weights count as rounded to
    float16, so that a file that was converted in that precision keeps the fingerprint.

    Raises:
        TypeError: The synthesis is no module, so that nobody knows its weights.
    """
    synthesis: object = generator.synthesis
    if not isinstance(synthesis, nn.Module):
        raise TypeError(f"{generator.name}: only the weights of a synthesis network that is a module are known")
    digest = hashlib.sha256()
    for name, tensor in sorted(synthesis.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.half().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]

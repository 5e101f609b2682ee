"""Signatures, stored in results, that identify their inputs: only the same result may replace a file."""

import hashlib

from torch import Tensor

from latentloop.photo_editing.claims import short_key as short_key
from latentloop.photo_editing.claims import signature_in as signature_in
from latentloop.photo_editing.claims import signature_of as signature_of


def checksum_of(tensor: Tensor) -> str:
    """Compute the SHA-256 of a tensor's values, in hexadecimal."""
    return hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()

"""Defaults that the library and the command line share; here, where reading them needs no PyTorch."""

GENERATOR = "mobile-ffhq-1024"
"""Draws."""
QUICK_GENERATOR = "mobile-ffhq-256"
"""Of the same codes: the iterator's."""
MAX_PIXELS = 100_000_000
"""Larger photos are refused unless the caller says otherwise."""
SAMPLE_PSI = 0.7
"""Truncation of a random start."""

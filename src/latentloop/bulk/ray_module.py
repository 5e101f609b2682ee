"""Importing Ray, which is optional, and quiet."""

import os
from typing import Any

from latentloop.extras import load_extra


def load_ray() -> Any:  # noqa: ANN401 - a module, which Ray types itself
    """Import Ray Data, which from here on tells nobody of its use.

    Raises:
        UserError: It is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Its logs lie in its own folder; on stderr they would be in the way.
    for part, level in (("RAY_BACKEND_LOG_LEVEL", "fatal"), ("RAY_DATA_LOG_LEVEL", "ERROR")):
        os.environ.setdefault(part, level)
    ray = load_extra("ray", "bulk needs Ray", "latentloop[bulk]")
    load_extra("ray.data", "bulk needs Ray Data", "latentloop[bulk]")
    return ray

"""Import of Ray, an optional dependency, without its output."""

import os
from typing import Any

from latentloop.extras import load_extra


def load_ray() -> Any:  # noqa: ANN401 - a module, which Ray types itself
    """Import Ray Data with usage statistics switched off.

    Raises:
        UserError: Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray also logs into its own folder; on stderr its messages would break the progress bar.
    for part, level in (("RAY_BACKEND_LOG_LEVEL", "fatal"), ("RAY_DATA_LOG_LEVEL", "ERROR")):
        os.environ.setdefault(part, level)
    ray = load_extra("ray", "bulk needs Ray", "latentloop[bulk]")
    load_extra("ray.data", "bulk needs Ray Data", "latentloop[bulk]")
    return ray

"""What editing needs beyond what the package always needs."""

import importlib.util

from latentloop.errors import UserError


def need_extra(module: str, project: str) -> None:
    """See that a module of the extra `edit` can be imported.

    Raises:
        UserError: It is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise UserError(f"this needs {project}: pip install {project}")

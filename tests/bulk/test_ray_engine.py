"""Starting Ray."""

import pytest

from latentloop.bulk import BulkOptions
from latentloop.bulk.ray_engine import workers_on_ray
from latentloop.bulk.ray_module import load_ray
from latentloop.errors import UserError


@pytest.mark.parametrize("kind", [Exception, RuntimeError, ConnectionError])
def test_a_ray_that_does_not_start_is_one_line(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    ray = load_ray()

    def init(*_: object, **__: object) -> None:
        raise kind("The current node timed out during startup.\nLook at the logs.")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(UserError, match=r"^Ray does not start: The current node timed out during startup\. Look at"):
        workers_on_ray(BulkOptions())

"""Fixture: the page's generator as an ONNX file, which takes a while to export."""

import hashlib
from pathlib import Path

import pytest
import torch
from filelock import FileLock

import latentloop as ll
from latentloop.defaults import QUICK_GENERATOR
from latentloop.export import ExportOptions, set_up_export
from latentloop.files import sha256_of

OPTIONS = ExportOptions(generator=QUICK_GENERATOR, half=True)
EXPORTED = ("export", "generators")
"""Folders of the package on which the file depends."""


@pytest.fixture(scope="session")
def web_bundle(pytestconfig: pytest.Config) -> Path:
    """A folder that holds the generator: of another worker, or of an earlier run if nothing has changed since."""
    package = Path(ll.__file__).parent
    sources = [path for folder in EXPORTED for path in (package / folder).glob("*.py")]
    sources += (package / "assets").glob("mobile-*.safetensors")
    parts = [torch.__version__, *(sha256_of(one) for one in sorted(sources))]
    key = hashlib.sha256("".join(parts).encode()).hexdigest()[:16]
    bundle = pytestconfig.rootpath / ".pytest_cache" / "web-bundles" / key
    bundle.mkdir(parents=True, exist_ok=True)
    with FileLock(bundle.with_suffix(".lock")):
        if not (bundle / "bundle.json").is_file():  # which is written last
            for _ in set_up_export(["generator"], bundle, OPTIONS).run():
                pass
    return bundle

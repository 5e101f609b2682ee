"""Parts of the build of the documentation site, which `scripts/build_docs.py` puts together."""

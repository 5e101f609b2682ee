"""Model cards: the README.md that the Hub shows for a file."""

import hashlib
import json
import re
import shlex
from urllib.parse import quote

from latentloop.hub import HubAddress
from latentloop.publishing.contents import Contents
from latentloop.publishing.markdown import code, code_in_table, plain

MARK = re.compile(r"\n<!-- latentloop push, (?P<sha256>[0-9a-f]{64}), (?P<file>[^\n]+) -->\n\Z")
"""Last line of a card that push wrote: the checksum of the text above, by which it sees that nobody edited it."""
WHAT = {
    "generator": "A StyleGAN generator",
    "embedder": "An embedding network, which finds the StyleGAN code of a photo in one pass",
    "directions": "Directions in the latent space of a StyleGAN, in which photos can be edited",
}
PROJECT = "latentloop finds the StyleGAN code of a photo, and edits the photo through it."
TAGS = ("stylegan", "gan-inversion", "image-editing")
NOBODY = "Not stated. Ask whoever trained it before you use it."
TERMS, NOTICE = "latentloop-terms", "NOTICE.md"
"""Folder of a repository in which the terms of the bundled weights are, and the first of its files."""
HUB = "https://huggingface.co"
NONE = "none of its own"


def write_card(contents: Contents, address: HubAddress) -> str:
    """Write the card of a file.

    Args:
        contents: What the file holds.
        address: Its place on the Hub.
    """
    file, licence = str(address.file), contents.licence
    metadata = {
        "library_name": "latentloop",
        "pipeline_tag": "image-to-image",
        **(licence.metadata if licence else {}),
        **({"license_link": f"{HUB}/{address.repo}/blob/main/{TERMS}/{NOTICE}"} if contents.bundled_space else {}),
        "tags": [*TAGS, contents.part],
    }
    head = "\n".join(f"{name}: {json.dumps(value)}" for name, value in metadata.items())  # JSON is YAML, too
    facts = {name: plain(str(value)) for name, value in contents.facts.items()}
    facts = {"file": code_in_table(file), **facts, "fingerprint of the latent space": code(contents.fingerprint)}
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    text = f"""---
{head}
---

# {plain(contents.title)}

{WHAT[contents.part]}.
{PROJECT}

| | |
|---|---|
{rows}
{_names(contents)}
## Use

```bash
{_commands(contents, str(address))}
```

The file holds nothing but numbers and settings: reading it executes nothing.

## Licence

{_terms(contents)}
"""
    return f"{text}\n<!-- latentloop push, {_checksum(text)}, {quote(file)} -->\n"


def is_untouched(text: str, file: str) -> bool:
    """Tell whether a README.md is a card that push wrote for a file, and that nobody has edited since."""
    found = MARK.search(text)
    if found is None:
        return False
    return found["file"] == quote(file) and found["sha256"] == _checksum(text[: found.start()])


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _names(contents: Contents) -> str:
    names = ", ".join(map(code, contents.licences))
    return f"\nIt has {names}.\n" if names else ""


def _terms(contents: Contents) -> str:
    """The licence of the whole, and those of the directions, where they differ from it or from each other."""
    licence = contents.licence
    whole = f"{plain(licence.name)}. {licence.about}".strip() if licence else NOBODY
    if contents.bundled_space:
        whole += f"\nThe terms are in [{TERMS}/{NOTICE}]({TERMS}/{NOTICE})."
    own = sorted({*contents.licences.values()})
    if own in ([], [""]) or (len(own) == 1 and not contents.bundled_space):
        return whole
    rows = (
        f"- {plain(text) or NONE}: " + ", ".join(code(name) for name, one in contents.licences.items() if one == text)
        for text in own
    )
    return "\n".join([whole, "", "The directions' own licences:", "", *rows])


def _commands(contents: Contents, address: str) -> str:
    """Two commands: one that installs, one that uses the file."""
    use = {
        "generator": ["embed", "photo.jpg", "--generator", address],
        "embedder": ["embed", "photo.jpg", "--embedder", address],
        "directions": ["edit", "photo.jpg", "--set", f"{address}:{next(iter(contents.licences), '')}=1"],
    }
    needed = [] if contents.bundled_space or contents.part == "generator" else ["--generator", "GENERATOR"]
    return f"pip install 'latentloop[hub]'\n{shlex.join(['latentloop', *use[contents.part], *needed])}"

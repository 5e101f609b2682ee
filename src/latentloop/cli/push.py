"""The command `latentloop push`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from latentloop.cli.console import say
from latentloop.cli.inputs import refuse_missing
from latentloop.cli.options import UNTITLED
from latentloop.publishing.options import PushOptions


@dataclass(frozen=True)
class Push:
    """Publish weights or directions on the Hugging Face Hub.

    Takes files of latentloop: what convert, train, distill and directions find write. Other checkpoints are converted
    first. The file is uploaded with a model card, README.md, that says what it is, how to use it, and its licence. From
    then on hf://OWNER/REPO names it wherever a file is taken.

    Log in once with: hf auth login. Needs huggingface_hub: pip install 'latentloop[hub]'

    Try: latentloop push run/best.safetensors anna/cats --dry-run
    """

    file: Annotated[Path, tyro.conf.Positional]
    """File to publish."""
    repo: Annotated[str, tyro.conf.Positional]
    """Repository, as OWNER/NAME; it is made, private, if there is none."""
    options: Annotated[PushOptions, UNTITLED] = PushOptions()
    dry_run: bool = False
    """Print the model card and what would be uploaded; nothing is, and the Hub is not asked."""

    def run(self) -> int:
        """Upload the file and its card, and print the address."""
        refuse_missing(each=[self.file])
        from latentloop.publishing import set_up_push

        job = set_up_push(self.file, self.repo, self.options)
        if not self.dry_run:
            say(job.run())
            return 0
        if job.card:
            say(job.card)
        for name, size in job.uploads.items():
            say(f"would upload {name}, {size:,} bytes, to {job.address.repo}")
        return 0

"""The command `latentloop-lite directions`."""

from dataclasses import dataclass
from typing import Annotated

from latentloop.cli.console import say
from latentloop.cli.inputs import refuse_missing
from latentloop.cli.options import UNTITLED
from latentloop.lite.options import RuntimeOptions


@dataclass(frozen=True)
class Directions:
    """List the directions that photos can be edited in.

    For the bundled networks: latentloop-lite directions

    For your own networks: latentloop-lite directions --bundle exported
    """

    runtime: Annotated[RuntimeOptions, UNTITLED] = RuntimeOptions()

    def run(self) -> int:
        """Print a table of the directions."""
        refuse_missing(each=[self.runtime.bundle])
        from latentloop.cli.complaints import complain
        from latentloop.photo_editing.direction_table import table
        from latentloop.runtime.directions import shipped_directions
        from latentloop.runtime.engine import load

        networks = load(self.runtime.bundle).networks
        directions = list(shipped_directions(networks).values())
        if not directions:
            complain(f"no directions come with {networks.generator}")
        for line in table(directions) if directions else ():
            say(line)
        return 0

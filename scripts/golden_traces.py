"""Compare twenty steps of the trainer and of the iterator with the recorded ones, or record them anew.

python scripts/golden_traces.py            # names what differs; exit code 1 if anything does
python scripts/golden_traces.py --write    # after a change of the method that is meant
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from traces import GOLDEN, TRACES, differing


def main(argv: Sequence[str] | None = None) -> int:
    """Trace, then compare or write; return 1 if numbers differ and are not written, else 0."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="record what is traced")
    write, same = parser.parse_args(argv).write, True
    for name, trace in TRACES.items():
        path, text = GOLDEN / name, trace()
        lines = differing(text, path.read_text(encoding="utf-8")) if path.exists() else ["not recorded yet"]
        print(f"{name}: {len(lines)} numbers differ", *lines[:5], sep="\n  ")
        same = same and not lines
        if write:
            path.write_text(text, encoding="utf-8")
    return 0 if same or write else 1


if __name__ == "__main__":
    sys.exit(main())

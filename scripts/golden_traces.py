"""Compare twenty steps of the trainer and of the iterator with the recorded ones, or record them anew.

python scripts/golden_traces.py            # names what differs
python scripts/golden_traces.py --write    # after a change of the method that is meant
"""

import sys
from argparse import ArgumentParser
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from traces import GOLDEN, TRACES, differing


def main() -> None:
    """Trace, then compare or write."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="record what is traced")
    write = parser.parse_args().write
    for name, trace in TRACES.items():
        path, text = GOLDEN / name, trace()
        lines = differing(text, path.read_text(encoding="utf-8")) if path.exists() else ["not recorded yet"]
        print(f"{name}: {len(lines)} numbers differ", *lines[:5], sep="\n  ")
        if write:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

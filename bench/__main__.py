"""`python -m bench [--only NAME] [--peer]`: every figure with its floor; exit 1 if a goal fell."""

import argparse
import importlib
import sys

from bench.figures import Figure, write

CASES = ("standardization",)
"Modules of this folder with a `measure()` that yields figures."


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--peer", action="store_true", help="start the Java peer too")
    arguments = parser.parse_args()
    figures: list[Figure] = []
    for name in CASES:
        if arguments.only in (None, name):
            print(f"measuring {name} …", file=sys.stderr)
            figures.extend(importlib.import_module(f"bench.{name}").measure())
    sys.exit(0 if write(figures) else 1)


if __name__ == "__main__":
    main()

"""`python -m bench [--only NAME] [--peer]`: every figure with its floor; exit 1 if a goal fell."""

import argparse
import sys
import time
from pathlib import Path

from bench.figures import Figure, write
from bench.run import Run, beside, measured
from gateway.wire import hl7v2

CASES = (
    "standardization", "claims", "hpki", "intake", "workers", "mllp", "start", "xca", "pix",
)  # fmt: skip
"Modules of this folder with a `measure(run)` that yields figures."


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CASES)
    parser.add_argument("--peer", action="store_true", help="start the Java peer too")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each window of load")
    arguments = parser.parse_args()
    run = Run(peer=arguments.peer, seconds=arguments.seconds, schemas=beside())
    ahead = Path(hl7v2.__file__).suffix != ".py"
    print("readers compiled" if ahead else "readers not compiled", file=sys.stderr)
    figures: list[Figure] = []
    begun = time.perf_counter()
    for name in CASES:
        if arguments.only in (None, name):
            print(f"measuring {name} …", file=sys.stderr)
            figures.extend(measured(name, run))
    held = write(figures)
    print(f"{time.perf_counter() - begun:.0f} s", file=sys.stderr)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()

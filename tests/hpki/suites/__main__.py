"""Run every published suite, print or write the table; 0 only if all is explained."""

import argparse
import sys
from pathlib import Path

from tests.hpki.suites import case, documents, paths, tokens
from tests.shared import REASON, SHARED

COMMAND = "python -m tests.hpki.suites --write docs/signature-suites.md"


def everything(vectors: Path) -> list[case.Case]:
    """Every case of every suite, in the order of the page."""
    return [*paths.cases(vectors), *documents.cases(vectors), *tokens.cases(vectors)]


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the table as Markdown")
    options = parser.parse_args()
    if SHARED is None:
        sys.stderr.write(f"{REASON}\n")
        return 3
    found, rows = everything(SHARED / "hpki" / "vectors"), case.explained()
    page = case.table(found, rows, COMMAND)
    if options.write is not None:
        options.write.write_text(page, "utf-8")
    else:
        sys.stdout.write(page)
    open_, idle = case.unexplained(found, rows), case.unused(found, rows)
    for one in open_:
        sys.stderr.write(
            f"not explained: {one.suite}: {one.name}: expected {one.expected}, ours {one.found}\n"
        )
    for row in idle:
        sys.stderr.write(f"explains nothing: {row.suite}: {row.case}: {row.ours}\n")
    return 1 if open_ or idle else 0


if __name__ == "__main__":
    sys.exit(main())

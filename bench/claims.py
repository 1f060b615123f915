"""A large claim file: made, cut into receipts, and every receipt read; memory and rows a second.

`python -m bench.claims make FILE --size MIB` writes a file of that size (made up, from a seed);
`python -m bench.claims read FILE` cuts and reads it in this process. The bench does the second in a
process of its own, so that the memory it tells is that of the reading alone.
"""

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bench.figures import Figure
from bench.run import Run
from bench.server import REPOSITORY
from gateway.standardize import Upload, attempt, recognise
from gateway.standardize.format import Part
from gateway.standardize.format import Run as Lines

SIZE = 256
"MiB of the file of a bench."
_HEAD = "IR,1,13,1,1234567,,架空病院,202611,00,0300000000"
_MEMORY = 200.0
"MiB that reading may take, whatever the size of the file."
_COMMAND = "python -m bench --only claims"


def receipts(seed: int = 1) -> Iterator[tuple[list[str], int]]:
    """Receipts without end, each with the points of its first payer."""
    source = random.Random(seed)  # noqa: S311 - repeatable, not secret
    number = 0
    while True:
        number += 1
        yield _receipt(source, number)


def _receipt(source: random.Random, number: int) -> tuple[list[str], int]:
    born = f"19{source.randint(30, 99)}{source.randint(1, 12):02}{source.randint(1, 28):02}"
    person = f"架空　第{number}号,{source.randint(1, 2)},{born}"
    points = source.randint(300, 90_000)
    rows = [
        f"RE,{number},1112,202610,{person},,,,,,,{number:08},{',' * 22}カクウダイ,",
        f"HO,01130012,１２－３４,{number},3,{points},,,,,,,,,",
    ]
    for _ in range(source.randint(2, 9)):
        disease = source.choice(("8833421", "4659007", "2500013", "5559001"))
        rows.append(f"SY,{disease},2025{source.randint(1, 12):02}01,1,{_suspected(source)},,,")
    rows.append("CO,21,1,810000001,１日３回毎食後服用")
    for _ in range(source.randint(1, 6)):
        drug = source.choice(("620004422", "622265501", "620098801"))
        rows.append(f"IY,,1,{drug},3,,7,,,,,,,{_days(source, 7)}")
    for _ in range(source.randint(8, 40)):
        act = source.choice(("112007410", "160000310", "160061710", "113001810"))
        rows.append(
            f"SI,{source.choice(('12', '60', '13'))},1,{act},,26,1,,,,,,,{_days(source, 1)}"
        )
    return rows, points


def _suspected(source: random.Random) -> str:
    return "8002" if source.random() < 0.3 else ""


def _days(source: random.Random, count: int) -> str:
    columns = [""] * 31
    columns[source.randrange(31)] = str(count)
    return ",".join(columns)


def make(path: Path, size: int, seed: int = 1) -> int:
    """Write a file of at least so many bytes; the number of its rows."""
    written = rows = count = total = 0
    with path.open("wb") as file:
        written += file.write(f"{_HEAD}\r\n".encode("cp932"))
        for lines, points in receipts(seed):
            if written >= size:
                break
            written += file.write(("\r\n".join(lines) + "\r\n").encode("cp932"))
            rows, count, total = rows + len(lines), count + 1, total + points
        file.write(f"GO,{count},{total},99\r\n\x1a".encode("ascii"))
    return rows + 2


def read(path: Path, *, cut_only: bool = False) -> dict[str, float]:
    """Cut the file and read every receipt, without keeping any."""
    with path.open("rb") as stream, path.open("rb") as again:
        format = recognise(Upload(path=path.name, content=stream.read(4096)))
        assert format.split is not None
        stream.seek(0)
        rows = items = parts = 0
        begun = cut = time.process_time()
        for part in format.split(stream):
            if not parts:
                cut = time.process_time()
            parts += 1
            if not cut_only:
                batch = attempt(_upload(path, part, again), format=format)
                rows += len(batch.account) - 2  # header and end are every receipt's
                items += len(batch.items)
        done = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "parts": parts, "rows": rows, "items": items, "checked": cut - begun,
        "seconds": done - begun, "mib": peak,
    }  # fmt: skip


def _upload(path: Path, part: Part, stream: BinaryIO) -> Upload:
    """A part of the file as the intake reads it: its spans and nothing else."""
    runs = []
    for span in (*part.shared, *part.own):
        stream.seek(span.start)
        runs.append(Lines(span.row, span.start, stream.read(span.end - span.start)))
    return Upload(path=path.name, content=b"".join(one.content for one in runs), runs=tuple(runs))


def told(path: Path, *options: str) -> dict[str, float]:
    """What a process of its own tells of reading a file."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.claims", "read", str(path), *options],
        capture_output=True, text=True, check=True, cwd=REPOSITORY,
    )  # fmt: skip
    return {name: float(value) for name, value in (one.split("=") for one in done.stdout.split())}


def measure(run: Run) -> Iterator[Figure]:
    """Memory against the bound, rows a second without one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "RECEIPTC.UKE"
        make(path, SIZE * 1024 * 1024)
        found = told(path)
    mib, rows = found["mib"], found["rows"] / found["seconds"]
    checked = found["rows"] / found["checked"]
    yield Figure(
        name=f"uke-{SIZE}-mib-memory", figure=mib, unit="MiB peak", against="the bound",
        floor=_MEMORY, ratio=mib / _MEMORY, goal="<= 1", command=_COMMAND,
    )  # fmt: skip
    yield Figure(
        name="uke-rows", figure=rows, unit="rows/s", against="checking and cutting alone",
        floor=checked, ratio=rows / checked, goal="", command=_COMMAND,
    )  # fmt: skip


def main() -> None:
    """Make or read a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("make", "read"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", type=int, default=SIZE, help="MiB")
    parser.add_argument("--cut-only", action="store_true", help="read no receipt")
    arguments = parser.parse_args()
    if arguments.what == "make":
        print(f"rows={make(arguments.file, arguments.size * 1024 * 1024)}")
        return
    found = read(arguments.file, cut_only=arguments.cut_only)
    print(" ".join(f"{name}={value:.3f}" for name, value in found.items()))


if __name__ == "__main__":
    main()

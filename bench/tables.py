"""A large CSV of laboratory results, as the mapping of clinic-b has it: made up, from a seed.

`python -m bench.tables FILE --size MIB` writes a file of that size.
"""

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

_HEAD = (
    "患者番号,氏名,カナ氏名,性別,生年月日,採取日,採取時刻,項目コード,項目名,結果,単位,判定,下限,上限,"
    "コメント,予備"
)
_TESTS = (
    ("3A010000002327101", "総蛋白", "g/dL", 6.7, 8.3), ("3B035000002327201", "AST", "U/L", 13, 30),
    ("3B045000002327201", "ALT", "U/L", 10, 42),
    ("3C015000002327101", "クレアチニン", "mg/dL", 0.6, 1.1),
    ("3F050000002327101", "総コレステロール", "mg/dL", 142, 248),
    ("3D010000002226101", "血糖", "mg/dL", 73, 109),
    ("2A990000001930901", "白血球数", "×10^2/μL", 33, 86),
    ("5C070000002306201", "CRP", "mg/dL", 0, 0.14),
)  # fmt: skip


def orders(seed: int = 1) -> Iterator[list[str]]:
    """The rows of one order after the other, without end; each order is another patient's."""
    source = random.Random(seed)  # noqa: S311 - repeatable, not secret
    number = 0
    while True:
        number += 1
        yield _order(source, number)


def _order(source: random.Random, number: int) -> list[str]:
    """The first row names the patient, the others leave it out."""
    sex = source.choice("男女")
    born = f"S{source.randint(1, 63):02}.{source.randint(1, 12)}.{source.randint(1, 28)}"
    day = f"2026/{source.randint(1, 11):02}/{source.randint(1, 28):02}"
    time = f"{source.randint(8, 17):02}:{source.randint(0, 59):02}"
    whose = f"{number:08d},架空 第{number}号,カクウ ダイ,{sex},{born},{day},{time}"
    rows = []
    for code, name, unit, low, high in source.sample(_TESTS, source.randint(3, len(_TESTS))):
        value = round(source.uniform(float(low) * 0.8, float(high) * 1.2), 1)
        flag = "H" if value > high else "L" if value < low else ""
        comment = "再検済み" if source.random() < 0.1 else ""
        rows.append(f"{whose},{code},{name},{value},{unit},{flag},{low},{high},{comment},")
        whose = ",,,,,,"
    return rows


def make(path: Path, size: int, seed: int = 1) -> int:
    """Write a file of at least so many bytes; how many orders are in it."""
    with path.open("wb") as file:
        written = file.write(f"{_HEAD}\r\n".encode("cp932"))
        for count, rows in enumerate(orders(seed)):
            if written >= size:
                return count
            written += file.write(("\r\n".join(rows) + "\r\n").encode("cp932"))
    raise AssertionError("orders have no end")


def main() -> None:
    """Write a file from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", type=int, default=32, help="MiB")
    arguments = parser.parse_args()
    print(f"orders={make(arguments.file, arguments.size * 1024 * 1024)}")


if __name__ == "__main__":
    main()

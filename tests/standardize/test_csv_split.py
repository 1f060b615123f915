"""Cutting a CSV: windows, whole lines, one pass where rows refuse themselves, flat memory."""

import io
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import OverLimit, Refusal
from gateway.standardize import Upload, read
from gateway.standardize.csv_mapped import files as csv_mapped
from gateway.standardize.format import part_of
from tests.standardize.conftest import REPOSITORY
from tests.standardize.test_csv_mapped import BY_ROW, HEAD, LAB, ROW, TP, upload
from tests.standardize.test_fuzz import CALM


def parts_of(content, mapping=BY_ROW):
    bound = csv_mapped.bind(Upload(path="a", content=content, mappings=(mapping,)))
    return list(bound.split(io.BytesIO(content)))


def covers(content, parts):
    """Whether every byte is in one part's own, or shared."""
    spans = {(s.start, s.end) for part in parts for s in (*part.own, *part.shared)}
    own = sum(s.end - s.start for part in parts for s in part.own)
    shared = {(s.start, s.end) for part in parts for s in part.shared}
    at = 0
    for start, end in sorted(spans):
        if start != at:
            return False
        at = end
    return at == len(content) == own + sum(end - start for start, end in shared)


@pytest.mark.parametrize("window", [200, 1000, 10_000])
def test_windows_cut_between_people(monkeypatch, window):
    monkeypatch.setattr(csv_mapped, "WINDOW", window)
    rows = [ROW.replace("0001", f"{n // 4:04d}") for n in range(100)]
    content = upload(*rows).content
    parts = parts_of(content)
    assert covers(content, parts)
    assert len(parts) == 25


def test_rows_of_a_person_that_stand_apart_are_one_part_with_several_runs():
    content = upload(*[ROW.replace("0001", f"{n % 3:04d}") for n in range(9)]).content
    parts = parts_of(content)
    assert [len(part.own) for part in parts] == [3, 3, 3]
    assert covers(content, parts)


def test_a_person_with_endless_ditto_rows_is_over_the_limit(monkeypatch):
    monkeypatch.setattr(csv_mapped, "WINDOW", 200)
    with pytest.raises(OverLimit):
        parts_of(upload(ROW, *[f",,,,{TP},8,g/dL,,"] * 500).content)


def test_a_row_out_of_shape_refuses_the_file_before_any_part():
    content = upload(*[ROW] * 50, "x").content
    with pytest.raises(Refusal):
        next(iter(csv_mapped._split(LAB, io.BytesIO(content))))


@CALM
@given(st.lists(st.sampled_from(
    [ROW, HEAD, "", ",,,,,,,,,", '"', "x\x1a", f",,,,{TP},8,g/dL,,", "\x00", "\r", "〃", "sep=,",
     ROW + '"a\n\nb"', ROW.replace("0001", "2"), ROW.replace("0001", "1E5")]), max_size=12),
    st.sampled_from(["utf-8", "cp932", "utf-16le"]))  # fmt: skip
def test_parts_of_any_rows_cover_the_file_and_are_read(rows, encoding):
    mapping = replace(BY_ROW, encoding=encoding)
    head = "\ufeff" + HEAD if encoding == "utf-16le" else HEAD
    whole = upload(*rows, head=head, charset=encoding, mapping=mapping)
    parts = parts_of(whole.content, mapping)
    assert covers(whole.content, parts)
    bound = csv_mapped.bind(whole)
    account = {}
    for part in parts:
        batch = read(part_of(whole, part), format=bound)
        assert all(batch.account.values())
        for item in batch.items:
            assert item.source.at in batch.account
        account.update(batch.account)
    lines = whole.content.decode(encoding).splitlines() if encoding == "cp932" else []
    if lines and "\x1a" not in "".join(lines):
        assert len(account) == sum(1 for line in lines if line.strip("\r\n\x00") or "\x00" in line)


_CUT = """
import io, resource, sys
from gateway.members.mappings import load_mapping
from gateway.standardize.csv_mapped import files as csv_mapped
from pathlib import Path
class Rows(io.RawIOBase):
    def __init__(self, head, row, size):
        self.rest, self.row, self.left, self.number = head, row, size, 0
    def readable(self): return True
    def read(self, size=-1):
        while len(self.rest) < size and self.left > 0:
            piece = b"".join(self.row % ((self.number + n) % 5000) for n in range(1000))
            self.number += 1000
            self.left -= len(piece)
            self.rest += piece
        found, self.rest = self.rest[:size], self.rest[size:]
        return found
mapping = load_mapping(Path(sys.argv[1]))
head = (",".join(one.source for one in mapping.columns) + "\\r\\n").encode("cp932")
row = "%08d,架空,カクウ,女,S37.11.3,2026/11/04,09:05,3A010000002327101,総蛋白,7.1,g/dL,,6,8,,\\r\\n"
rows = Rows(head, row.encode("cp932"), int(sys.argv[2]))
parts = sum(1 for _ in csv_mapped._split(mapping, rows))
print(parts, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_file():
    """A generated file of 200 MB in the long form (`FUZZ`), of 40 MB else."""
    large = 200 if os.environ.get("FUZZ") else 40
    peaks = []
    for size in (10, large):
        done = subprocess.run(
            [sys.executable, "-c", _CUT,
             str(REPOSITORY / "samples" / "mappings" / "clinic-b-lab.yaml"), str(size * 10**6)],
            capture_output=True, text=True, check=True, timeout=300, cwd=REPOSITORY,
        )  # fmt: skip
        peaks.append(int(done.stdout.split()[1]))
    assert peaks[1] < peaks[0] + 8 * 1024

"""Data split over several symbols: which part, what is missing, joined and read part by part."""

from dataclasses import replace

import pytest

from gateway.errors import Refusal
from gateway.standardize import Upload, read
from gateway.standardize.symbols import Symbol, join, missing, read_joined, symbol_of
from tests.standardize.build import DOMAIN, findings
from tests.standardize.prescriptions import DRUG, HEAD, ORAL, USAGE

PERSON = "1,架空 花子,2,S371103,,,,,,,ｶｸｳ ﾊﾅｺ"
FIRST = ["JAHISTC08,1", PERSON, "5,R081102,1", "11,見本薬局,13,4,1234567,,,,1",
         "51,見本病院,13,1,7654321,1", "201,1,見本錠,3,錠,2,620004992,1"]  # fmt: skip
SECOND = ["JAHISTC08,1", PERSON, "301,1,【毎食後】,5,日分,1,1,,1", "201,2,見本散,1,g,2,620004993,1"]
THIRD = ["JAHISTC08,1", "301,2,【朝食後】,7,日分,1,1,,1", "501,備考,1"]


def part(rows, number, total=3, name="", identity="20261102000001", end="\r\n"):
    content = end.join([*rows, f"911,{identity},{total},{number}"]) + end + "\x1a"
    return Upload(path=name or f"{number}.csv", content=content.encode("cp932"), domain=DOMAIN)


def parts():
    return [part(rows, number) for number, rows in enumerate((FIRST, SECOND, THIRD), start=1)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("911,20261102000001,3,2", (3, 2)),
        ("911,20261102000001,3,2,", (3, 2)),
        ("911,20261102000001,3,2 ", (3, 2)),
        ("911,1,99,99", (99, 99)),
        ("911,20261102000001,1,1", None),
        ("911,20261102000001,3,4", None),
        ("911,20261102000001,3,0", None),
        ("911,20261102000001,100,1", None),
        ("911,20261102000001,3", None),
        ("911,x,3,1", None),
        ("1911,20261102000001,3,1", None),
        ("911,1,3,1\r\n911,1,3,2", None),
        ("", None),
    ],
)
def test_which_part_a_file_is(line, found):
    content = f"JAHISTC08,1\r\n1,a\r\n{line}\r\n".encode()
    symbol = symbol_of(Upload(path="x", content=content))
    assert (None if symbol is None else (symbol.total, symbol.part)) == found


def test_only_of_jahis_files():
    assert symbol_of(Upload(path="x", content=b"MSH|\r\n911,1,3,1\r\n")) is None


def test_what_is_missing():
    here = [Symbol(id="1", total=4, part=number) for number in (3, 1)]
    assert missing(here) == [2, 4]
    assert missing([*here, Symbol(id="1", total=4, part=2), Symbol(id="1", total=4, part=4)]) == []


def test_joined_parts_say_what_the_whole_would():
    """Items and amounts as of one file, and each where it stands in its part."""
    body = [*FIRST, *SECOND[2:], *THIRD[1:]]
    whole = read(Upload(path="w", content="\r\n".join(body).encode("cp932"), domain=DOMAIN))
    made = read_joined(parts())
    assert [len(batch.items) for batch in made] == [1, 1, 0]
    joined = [item for batch in made for item in batch.items]
    assert [item.resource for item in joined] == [item.resource for item in whole.items]
    assert [item.key for item in joined] == [item.key for item in whole.items]
    assert {batch.patient for batch in made} == {whole.patient}
    for batch, upload in zip(made, parts(), strict=True):
        lines = [line for line in upload.content.splitlines() if line.strip(b"\x1a")]
        assert len(batch.account) == len(lines)
        assert batch.path == upload.path
        for item in batch.items:
            assert item.source.file == upload.path
            line = upload.content[item.source.start : item.source.end]
            assert line.startswith(b"201,")
            assert lines[int(item.source.at.removeprefix("row ")) - 1] == line


def test_a_prescription_is_joined_too():
    first = ["JAHIS10", *HEAD[1:], ORAL]
    second = ["JAHIS10", *HEAD[1:4], USAGE, DRUG]
    made = read_joined([part(first, 1, total=2), part(second, 2, total=2)])
    assert [len(batch.items) for batch in made] == [0, 1]
    assert made[1].items[0].resource["dispenseRequest"]["quantity"]["value"] == 42
    assert not [one for batch in made for one in findings(batch) if "record-order" in one]


def test_findings_stay_with_their_part():
    odd = [*THIRD[:1], "999,x", *THIRD[1:]]
    made = read_joined([*parts()[:2], part(odd, 3)])
    assert "layout-unknown row 2" in findings(made[2])
    assert made[2].account["row 2"] == "layout-unknown"
    assert not [one for one in findings(made[0]) if "layout-unknown" in one]


@pytest.mark.parametrize(
    "third",
    [
        ["JAHISTC07,1", *THIRD[1:]],
        ["JAHISTC08,1", "1,別人 一郎,1,S300101", *THIRD[1:]],
        ["JAHIS10", *THIRD[1:]],
        ["JAHISTC08,1", "501,\x01,1"],
    ],
)
def test_parts_of_different_data_are_refused(third):
    with pytest.raises(Refusal):
        read_joined([*parts()[:2], part(third, 3)])


def test_line_ends_may_differ_and_marks_stand_in_each_part():
    mixed = [part(FIRST, 1, end="\n"), part(SECOND, 2), part(THIRD, 3, end="\r")]
    assert [len(batch.items) for batch in read_joined(mixed)] == [1, 1, 0]
    utf8 = [
        replace(one, content=b"\xef\xbb\xbf" + one.content.decode("cp932").encode())
        for one in parts()
    ]
    made = read_joined(utf8)
    assert [len(batch.items) for batch in made] == [1, 1, 0]
    assert made[1].items[0].source.start == utf8[1].content.index(b"201,")


def test_an_empty_part_is_refused():
    with pytest.raises(Refusal):
        join([parts()[0], Upload(path="x", content=b"\r\n")])

"""The structure of claim files: parts, encodings, what refuses a whole file."""

import io

import pytest

from gateway.errors import Refusal
from gateway.standardize.uke import structure
from tests.standardize.claims import IR, RE, act, claim, codes_of, read_all, refused, resources

OTHER = RE.replace("00000123", "00000999").replace("RE,1,", "RE,2,")
TWO = claim(act(d1=1), OTHER, "HO,01130012,１,２,1,50", act(d2=1), end="GO,2,150,99")


def parts_of(content):
    return list(structure.split(io.BytesIO(content)))


def covers(content, parts):
    """Whether every byte is in one part's own, or shared."""
    spans = sorted({(s.start, s.end) for part in parts for s in (*part.own, *part.shared)})
    at = 0
    for start, end in spans:
        if start != at:
            return False
        at = end
    return at == len(content)


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("tail", ["", "\x1a", "\x1a\r\n", "\r\n\r\n"])
def test_one_part_a_receipt(end, tail):
    text = TWO.decode("cp932").replace("\r\n", end).rstrip("\r\n") + end + tail
    content = text.encode("cp932")
    parts = parts_of(content)
    assert len(parts) == 2
    assert covers(content, parts)
    first, second = read_all(content)
    assert (first.patient.value, second.patient.value) == ("00000123", "00000999")
    assert set(first.account) == {"row 1", "row 2", "row 3", "row 4", "row 8"}
    assert resources(second, "Procedure")[0]["performedDateTime"] == "2026-10-02"
    (item,) = [one for one in second.items if one.resource["resourceType"] == "Procedure"]
    assert content[item.source.start : item.source.end].decode("cp932") == act(d2=1)


def test_without_a_last_line_end():
    assert len(read_all(TWO.rstrip(b"\r\n"))) == 2


def test_both_ways_of_counting():
    for end in ("GO,1,100,99", "GO,2,200,99", "GO,2,100,99", "GO,,,99"):
        (batch,) = read_all(claim("KO,12130002,1234567,,1,100", act(d1=1), end=end))
        assert batch.items, end
    assert "totals-not-checked row 6" in codes_of(batch)


def test_a_volume_is_not_counted():
    head = IR.replace(",00,", ",01,")
    (batch,) = read_all(claim(act(d1=1), head=head, end="GO,900,90000,99"))
    assert batch.items


@pytest.mark.parametrize(
    ("content", "at"),
    [
        pytest.param(claim(act(d1=1), end=""), "GO", id="cut off before the end"),
        pytest.param(TWO[: len(TWO) // 2], "GO", id="cut off in the middle"),
        pytest.param(claim(end="GO,3,100,99"), "row 4 総件数", id="count"),
        pytest.param(claim(end="GO,1,101,99"), "row 4 総合計点数", id="points"),
        pytest.param(claim(end="GO,1.1E+1,100,99"), "row 4 総件数", id="count in exponents"),
        pytest.param(claim() + claim(), "row 5", id="files joined"),
        pytest.param(claim(IR), "row 4", id="header in the middle"),
        pytest.param(claim(end="GO,1,100,99\r\nGO,1,100,99"), "row 5", id="two ends"),
        pytest.param(claim(head=RE), "content", id="no header"),
        pytest.param(claim(head=IR.replace("202611", "2026")), "row 1 請求年月", id="no month"),
        pytest.param(claim(head=IR.replace(",1,1234567", ",7,1234567")), "content",
                     id="no table of points"),
        pytest.param(claim("si,60,1"), "row 4", id="no record"),
        pytest.param(claim(" SI,60,1"), "row 4", id="a row shifted"),
        pytest.param(claim('"SI",60,1'), "row 4", id="quoted cells"),
        pytest.param(claim("160000310,,10"), "row 4", id="a row broken in two"),
        pytest.param(claim(payer="HO,01130012,１,２,1,1.36E+04"), "row 3 合計点数",
                     id="points of a spreadsheet"),
        pytest.param(claim("SI,\x0060,1"), "row 4", id="NUL"),
        pytest.param(claim("SI,60\x1aXX,1"), "row 4", id="end of file inside"),
        pytest.param(claim("\x1aSI,60,1"), "row 4", id="end of file before a row"),
        pytest.param(claim("SI," + "," * 600), "row 4", id="too many columns"),
        pytest.param(claim("CO,99,1,810000001," + "x" * 70_000), "row 4", id="a cell too long"),
        pytest.param(claim().replace("子".encode("cp932"), b"\x8e"), "row 2",
                     id="half a character"),
        pytest.param(claim("CO,99,1,810000001,").replace(b"810000001,", b"810000001,\xff\xff"),
                     "row 4", id="bytes of no encoding"),
        pytest.param(b"\xef\xbb\xbf" + claim(), "row 1", id="a mark of another encoding"),
        pytest.param(claim().decode("cp932").encode("utf-8") .replace(
            "花子".encode(), "花子".encode("cp932")), "row 2", id="two encodings"),
    ],
)  # fmt: skip
def test_what_refuses_a_whole_file(content, at):
    assert refused(content)[0] == at


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_utf_8_is_read_and_said(mark):
    content = mark + TWO.decode("cp932").encode("utf-8")
    first, second = read_all(content)
    assert first.demographics.names[0].full == "架空 花子"
    assert "encoding-detected" in codes_of(first)
    assert "encoding-detected" in codes_of(second)
    assert covers(content, parts_of(content))


def test_a_part_that_is_refused_leaves_the_others():
    content = TWO.replace(b"00000999", b"1.11E+08")
    good, bad = read_all(content)
    assert good.items
    assert not bad.items
    assert bad.findings[0].at == "row 5 カルテ番号等"


def test_wrappers_of_returned_claims():
    """Their layout is not public: kept, with the receipt that follows."""
    rows = TWO.decode("cp932").split("\r\n")
    rows.insert(4, "MN,x,12345")
    rows.insert(5, "JY,y")
    rows.insert(1, "HI,z")
    content = "\r\n".join(rows).encode("cp932")
    first, second = read_all(content)
    assert first.account["row 2"] == "layout-unknown"
    assert [second.account[f"row {n}"] for n in (6, 7)] == ["layout-unknown"] * 2
    assert covers(content, parts_of(content))
    last = "\r\n".join([*rows[:-2], "HR,w", *rows[-2:]]).encode("cp932")
    assert read_all(last)[1].account["row 11"] == "layout-unknown"


def test_unknown_records_are_set_aside():
    (batch,) = read_all(claim("ZZ,1,2", act(d1=1)))
    assert batch.account["row 4"] == "layout-unknown"
    assert len(resources(batch, "Procedure")) == 1


def test_a_file_without_receipts():
    content = claim(patient="", payer="", end="GO,0,0,99")
    (batch,) = read_all(content)
    assert codes_of(batch) == ["no-receipt row 1"]
    assert batch.account == {"row 1": "used", "row 2": "used"}
    assert covers(content, parts_of(content))


def test_a_receipt_without_end(monkeypatch):
    monkeypatch.setattr(structure, "LONGEST_RECEIPT", 1000)
    assert refused(claim(*[act(d1=1)] * 40))[1] == "receipt too long"


def test_blocks_cut_lines_anywhere(monkeypatch):
    whole = parts_of(TWO)
    for piece in range(1, 40):
        monkeypatch.setattr(structure, "_PIECE", piece)
        assert parts_of(TWO) == whole


def test_a_line_without_end(monkeypatch):
    monkeypatch.setattr(structure, "_LONGEST_LINE", 500)
    monkeypatch.setattr(structure, "_PIECE", 100)
    with pytest.raises(Refusal, match="row too long"):
        parts_of(claim("CO," + "x" * 5000))

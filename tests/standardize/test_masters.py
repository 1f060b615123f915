"""Code masters and maps from files: kinds, columns, encodings; bad rows and bad files by row."""

import io
import random

import pytest

from gateway.errors import Invalid, Malformed, OverLimit, Refusal
from gateway.model.codebook import JLAC10, SYSTEMS, Code, CodeBook, Master
from gateway.standardize import code_map, master_files, masters
from gateway.wire.japanese import Charset


def read(text: str | bytes, *, charset: str = "utf-8", name: str = "a.csv", **options):
    content = text if isinstance(text, bytes) else text.encode(charset)
    return masters.read(io.BytesIO(content), name=name, **options)


def book(found: masters.Read) -> CodeBook:
    assert not found.problems
    return CodeBook([Master(kind=found.kind, name="m", version="1", text=found.text)])


def row(size: int, **cells: str) -> str:
    """A row of so many quoted cells; `c3` is the third."""
    return ",".join(f'"{cells.get(f"c{number}", "")}"' for number in range(1, size + 1)) + "\r\n"


HOT = "".join(
    row(24, c1=f"10000010101{last}", c2="1000001", c8="9999999A1010", c9=f"69999990{last[1]}",
        c12="見本錠５ｍｇ")
    for last in ("01", "02")
)  # fmt: skip
DRUG = row(
    36, c1="0", c2="Y", c3="699999901", c5="見本錠５ｍｇ", c31="99999999", c32="9999999A1010"
)
OLD_DRUG = row(36, c1="9", c2="Y", c3="699999902", c5="旧錠", c31="20240331", c32="9999999A1028")
DISEASE = row(40, c1="0", c2="B", c3="8839999", c6="見本病", c11="20099999", c13="TST1", c14="Z999")


@pytest.mark.parametrize(
    ("text", "kind", "rows"),
    [
        (HOT, "hot", 2),
        (DRUG + OLD_DRUG, "receipt-drug", 2),
        (row(100, c2="S", c3="199999910", c5="見本検査", c88="99999999"), "receipt-procedure", 1),
        (row(40, c2="T", c3="799999901", c5="見本材料"), "receipt-material", 1),
        (DISEASE, "receipt-disease", 1),
        (row(20, c2="Z", c3="9999", c7="見本の"), "receipt-modifier", 1),
        ("病名管理番号,病名表記,ICD10\n20099999,見本病,Z999\n", "disease", 1),
        ("JLAC10コード,項目名\n3A990-0000-023-999-01,見本蛋白\n", "jlac10", 1),
        ("JLAC11,JLAC11項目名,対応JLAC10\n0A990000000230101,x,3A990000002399901\n", "jlac11", 1),
        ("jlac10,loinc,name\n3A990000002399901,99999-9,Sample\n", "loinc", 1),
        ("一般名コード,一般名処方の標準的な記載\n9999999A1ZZZ,【般】見本錠\n", "general", 1),
        ('"DISPLAYSEQ","JFAGYCODE","JPTERM","ENDDATE"\n"1","J9FZ99999999","見本","99999999"\n',
         "allergen", 1),
        ("system,code,text,standard_system,standard_code,standard_name\n99LAB,TP,総蛋白,JC10,"
         "3A990000002399901,\n", "map", 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp932"])
def test_a_master_is_known_by_its_headings_or_its_cells(
    text: str, kind: str, rows: int, charset: str
) -> None:
    found = read(text, charset=charset)
    assert (found.kind, found.rows, found.problems) == (kind, rows, ())


def test_hot_is_found_by_each_of_its_codes() -> None:
    codes = book(read(HOT))
    yj = Code(SYSTEMS["yj"], "9999999A1010")
    assert codes.related(SYSTEMS["hot9"], "100000101") == (yj,), "packages differ in their receipt"
    assert codes.related(SYSTEMS["receipt-drug"], "699999901") == (yj,)
    assert codes.display(SYSTEMS["yj"], "9999999A1010") == "見本錠５ｍｇ"
    assert codes.related(SYSTEMS["yj"], "9999999A1010") == ()


def test_a_receipt_disease_has_key_number_exchange_code_and_icd10() -> None:
    codes = book(read(DISEASE))
    assert {one.code for one in codes.related(SYSTEMS["receipt-disease"], "8839999")} == {
        "20099999", "TST1", "Z999",
    }  # fmt: skip
    assert codes.display(SYSTEMS["disease"], "20099999") == "見本病"
    assert codes.display(SYSTEMS["disease-exchange"], "TST1") == "見本病"


def test_a_last_day_is_kept_and_nines_are_none() -> None:
    codes = book(read(DRUG + OLD_DRUG))
    ends = [codes.entries(SYSTEMS["receipt-drug"], f"69999990{n}")[0].end for n in (1, 2)]
    assert ends == ["", "20240331"]


def test_columns_are_corrected_at_loading() -> None:
    moved = row(9, c2="Y", c4="699999901", c7="見本錠")
    with pytest.raises(AssertionError):
        book(read(moved))
    found = read(moved, columns=master_files.columns_of("code=4,name=7"))
    assert book(found).display(SYSTEMS["receipt-drug"], "699999901") == "見本錠"


def test_a_heading_that_nobody_knows_is_passed_over() -> None:
    text = "番号,名\n20099999,見本病\n"
    found = read(text, kind="disease", columns={"code": 1, "name": 2})
    assert found.rows == 1


def test_a_tab_separated_file_is_read() -> None:
    assert read("JLAC10コード\t項目名\n3A990000002399901\ta,b\n").rows == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DRUG + row(36, c2="Y", c3="199999901", c5="x"), (2, "code", "code-form")),
        (DRUG + row(36, c2="Y", c3="699999903", c5="　"), (2, "name", "name-missing")),
        (DRUG + row(36, c2="Y", c3="699999903", c5="x", c31="令和6"), (2, "end", "date-form")),
        (DRUG + '"0","Y","699999903"\r\n', (2, "name", "row-shape")),
        (DRUG + row(36, c2="Y", c3="699999901", c5="別の名"), (2, "code", "code-twice")),
        (DRUG + row(36, c2="Y", c3="699999903", c5="a\x0bb"), (2, "name", "control")),
        (DRUG + row(36, c2="Y", c3="699999903", c5="a" * 501), (2, "name", "too-long")),
        (DRUG + row(36, c2="Y", c3="699999903", c5="x", c32="あ"), (2, "price-list", "code-form")),
    ],
    ids=lambda value: value[2] if isinstance(value, tuple) else "",
)
def test_a_wrong_row_is_named(text: str, problem: tuple) -> None:
    found = read(text)
    assert [tuple(one)[:3] for one in found.problems] == [problem]
    assert found.problems[0].text
    assert found.problems[0].japanese


def test_a_row_that_stands_twice_is_one() -> None:
    assert read(DRUG + DRUG).rows == 1


@pytest.mark.parametrize(
    ("content", "refusal", "at"),
    [
        (b"", Invalid, "row 1"),
        (b"\r\n \r\n", Invalid, "row 1"),
        ("JLAC10コード,項目名\n".encode(), Invalid, "row 2"),
        (b"a,b\n1,2\n", Invalid, "kind"),
        ("a,b\n".encode("utf-16"), Malformed, "row 1"),
        (DRUG.encode("cp932") + b"\"\x82\n", Malformed, "row 2"),
        (DRUG.encode("cp932") + b'"a"b,c\r\n', Malformed, "row 2"),
        (DRUG.encode() + b'"open,\n', Malformed, "row 2"),
        (b"x" * (1024 * 1024 + 2), OverLimit, "row 1"),
        (b"," * 600 + b"\n", OverLimit, "row 1"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_refused(content: bytes, refusal: type, at: str) -> None:
    with pytest.raises(refusal) as caught:
        read(content)
    assert caught.value.at == at


def test_an_unknown_kind_or_column_is_refused() -> None:
    for options, at in (
        ({"kind": "nothing"}, "kind"),
        ({"kind": "disease"}, "columns"),
        ({"columns": {"colour": 1}}, "columns"),
    ):
        with pytest.raises(Invalid) as caught:
            read(DRUG, **options)
        assert caught.value.at == at
    for text in ("code", "code=0", "code=x", "code=501", "=1,", "code=１"):
        with pytest.raises(Invalid):
            master_files.columns_of(text)


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masters, "MOST_ROWS", 1)
    with pytest.raises(OverLimit):
        read(DRUG + OLD_DRUG)


def test_a_file_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master_files, "LARGEST", 100)
    with pytest.raises(OverLimit):
        read(DRUG)


def test_a_declared_encoding_binds() -> None:
    stream = io.BytesIO(DRUG.encode("cp932"))
    with pytest.raises(Malformed):
        masters.read(stream, name="y.csv", charset=Charset.UTF_8)


# --- maps -----------------------------------------------------------------------------------------

HEAD = "system,code,text,times,standard_system,standard_code,standard_name\n"


def test_a_map_takes_what_is_filled_in_and_leaves_the_rest() -> None:
    found = read(
        HEAD
        + "99LAB,TP,総蛋白,9,JC10,3A990000002399901,見本\n99LAB,ALB,Alb,3,,,\n"
        + "99LAB,X,x,1,,-,\n99LAB,U,u,1,http://example.org/own,A1,\n"
    )
    assert (found.kind, found.rows) == ("map", 3)
    codes = book(found)
    mapped = codes.mapped("99LAB", "TP")
    assert mapped is not None
    assert mapped.related == (Code(JLAC10, "3A990000002399901", "見本"),)
    assert codes.mapped("99LAB", "ALB") is None
    assert codes.mapped("99LAB", "X") is None
    assert codes.mapped("99LAB", "U").related == (Code("http://example.org/own", "A1"),)
    assert codes.mapped("99ZZZ", "TP") is None


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("99LAB,TP,総蛋白,9,JC10,3A99,", "code-form"),
        ("99LAB,TP,総蛋白,9,JC10,,", "half-filled"),
        ("99LAB,TP,総蛋白,9,,3A990000002399901,", "half-filled"),
        ("99LAB,TP,総蛋白,9,somewhere,A1,", "system-unknown"),
        ("99LAB,TP,総蛋白,9,LN,12345,", "code-form"),
        (",TP,総蛋白,9,LN,99999-9,", "code-form"),
        ("99LAB,,総蛋白,9,LN,99999-9,", "code-form"),
        ("99LAB,TP", "row-shape"),
    ],
)
def test_a_wrong_row_of_a_map_is_named(cells: str, problem: str) -> None:
    (found,) = read(HEAD + cells + "\n").problems
    assert (found.row, found.code) == (2, problem)


def test_an_unfilled_map_is_refused() -> None:
    with pytest.raises(Refusal):
        read(HEAD + "99LAB,TP,総蛋白,9,,,\n")


@pytest.mark.parametrize("code", ["=1+1", "+A", "-1", "@x", "＝A", "'=A", "'A", "A=B", "O'B"])
def test_a_guarded_cell_comes_back_as_it_was(code: str) -> None:
    shown = code_map.guarded(code)
    assert not shown.startswith(("=", "+", "-", "@", "＝"))
    key, _ = code_map.line(
        {"system": "s", "code": shown, "standard_system": "LN", "standard_code": "99999-9"}
    )  # fmt: skip
    assert key == f"s\x1f{code}"


_PIECES = (b'"', b",", b"\n", b"\r", b"\0", b"\t", b"\xff", b"\x1b$B", b"'", b"=", b"\x82\xa0",
           b"\xef\xbb\xbf", b"\xff\xfe", b"\x1a", b"a" * 600)  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_no_bytes_make_it_crash(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    texts = (DRUG + OLD_DRUG, HOT, DISEASE, HEAD + "99LAB,TP,総蛋白,9,JC10,3A990000002399901,\n")
    refused = []
    for _ in range(400):
        content = bytearray(chance.choice(texts).encode(chance.choice(("utf-8", "cp932"))))
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(len(content) + 1)
            if chance.random() < 0.6:
                content[place:place] = chance.choice(_PIECES)
            else:
                del content[place : place + chance.randint(1, 20)]
        try:
            read(bytes(content), kind=chance.choice(("", "", "hot", "map", "loinc")))
        except Refusal as refusal:
            refused.append(refusal)
    assert 0 < len(refused) < 400
    assert all(one.english and one.japanese and one.at for one in refused)

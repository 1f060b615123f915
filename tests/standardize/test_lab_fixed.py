"""Fixed records of laboratories: bytes or lines, dates, cut fields, resends, several patients."""

import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Malformed, Refusal
from gateway.standardize import Upload, batches, format_named, read
from gateway.standardize.format import part_of
from gateway.standardize.lab_fixed import files as lab_fixed
from gateway.standardize.lab_fixed import layouts as lab_fixed_layouts
from tests.standardize.build import DOMAIN, findings
from tests.standardize.test_fuzz import CALM

TP, AST = "3A010000002327101", "3B035000002327201"


def pad(text, width):
    raw = text.encode("cp932")
    return raw[:width].ljust(width)


def a1(chart="12", *items, date="20261104", name="ｶｸｳ ﾊﾅｺ", status="E", marks=("", "", "")):
    body = b"A1" + pad("000123", 6) + pad(chart, 10) + b"2 " + b" " * 28 + pad(name, 20)
    body += pad(status, 1) + b"".join(pad(one, 3) for one in marks)
    for code, value, flag, one, two in [*items, *[("",) * 5] * (5 - len(items))]:
        body += pad(code, 17) + value.encode("cp932").rjust(8) + pad(flag, 1)
        body += pad(one, 3) + pad(two, 3)
    return (body + pad(date, 10)).ljust(256)


def o1(chart, request="R-1", sex="F", era="S", birth="371103", name="ｶｸｳ ﾊﾅｺ"):
    head = b"O1" + pad("000123", 6) + pad(request, 20) + b" " * 41 + pad("", 15) + pad(chart, 15)
    return (head + pad(name, 20) + pad(sex, 1) + b"Y063" + pad(era, 1) + pad(birth, 6)).ljust(256)


def item(code=TP, value="7.10", flag="", one="", two=""):
    return (code, value, flag, one, two)


def made(*records, join=b""):
    upload = Upload(path="a.dat", content=join.join(records), domain=DOMAIN)
    return list(batches(upload))


def observations(batch):
    return [one.resource for one in batch.items if one.resource["resourceType"] == "Observation"]


def test_the_layouts_are_as_long_as_published():
    assert lab_fixed_layouts.ORDER["comment"].stop == 256 - 74
    assert lab_fixed_layouts.RESULT["abnormal5"].stop == 254
    assert lab_fixed_layouts.RESULT["code1"].start == 78
    assert lab_fixed_layouts.ORDER_DATED["bed"].stop == 185


@pytest.mark.parametrize("join", [b"", b"\r\n", b"\n", b"\r"])
def test_records_by_bytes_and_by_line_are_the_same(join):
    records = (a1("12", item()), a1("12", item(AST, "18")), a1("34", item()))
    if join:
        records = tuple(one.rstrip() for one in records)
    first, second = made(*records, join=join)
    assert [batch.patient.value for batch in (first, second)] == ["12", "34"]
    assert len(observations(first)) == 2
    assert first.items[0].source.at == ("row 1" if join else "record 1")


def test_more_than_five_items_are_one_report():
    (batch,) = made(a1("12", *[item(f"99{n:03d}") for n in range(5)]), a1("12", item(AST, "18")))
    (report,) = [one.resource for one in batch.items if "result" in one.resource]
    assert len(report["result"]) == 6
    assert report["status"] == "final"


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("20261104", "2026-11-04"),
        ("20261104 1", "2026-11-04"),
        ("2026110411", "2026-11-04"),
        ("R081104", "2026-11-04"),
        ("R08.11.04", "2026-11-04"),
        ("5081104", "2026-11-04"),
        ("261104", None),
        ("20260230", None),
        ("", None),
        ("99999999", None),
    ],
)
def test_dates(written, day):
    (batch,) = made(a1("12", item(), date=written))
    if day is None:
        assert not batch.items
        assert batch.account["record 1"] in ("bad-date", "field-missing")
    else:
        assert observations(batch)[0]["effectiveDateTime"] == day


@pytest.mark.parametrize(
    ("value", "one", "two", "element", "note"),
    [
        ("7.10", "", "", "valueQuantity", []),
        ("<0.5", "", "", "valueQuantity", []),
        ("(-)", "", "", "valueCodeableConcept", []),
        ("40倍", "", "", "valueQuantity", []),
        ("", "123", "456", "valueQuantity", []),
        ("", "<0.", "05", "valueQuantity", []),
        ("", "A01", "", "dataAbsentReason", ["comment A01"]),
        ("7.1", "A01", "B2", "valueQuantity", ["comment A01", "comment B2"]),
    ],
)
def test_values_and_what_stands_in_the_comments(value, one, two, element, note):
    (batch,) = made(a1("12", item(TP, value, "H", one, two)))
    (result,) = observations(batch)
    assert element in result
    assert [part["text"] for part in result.get("note", ())] == note
    assert result["interpretation"][0]["coding"][0]["code"] == "H"


def test_a_local_item_and_a_hyphened_jlac10():
    (batch,) = made(a1("12", item("0101"), item("3A010-0000-023-271"), item("3a010000002327101")))
    systems = [one["code"]["coding"][0]["system"] for one in observations(batch)]
    assert [system.startswith("urn:x-") for system in systems] == [True, True, False]
    assert "unmapped-code record 1 code1" in findings(batch)


def test_a_resend_of_one_item_replaces_it_and_takes_nothing_away():
    (first,) = made(a1("12", item(), item(AST, "18")))
    (again,) = made(a1("12", item(TP, "7.3")))
    keys = {one.key for one in first.items}
    assert again.items[0].key in keys
    assert again.items[1].key not in keys, "the first report stays"
    (both,) = made(a1("12", item()), a1("12", item(TP, "7.3")))
    assert [str(one["valueQuantity"]["value"]) for one in observations(both)] == ["7.3"]
    assert "superseded record 1 value1" in findings(both)


def test_two_results_in_one_text():
    (batch,) = made(a1("12", item("1A990000000192053", "3+(300)")))
    sign, number = observations(batch)
    assert sign["valueCodeableConcept"]["text"] == "3+"
    assert number["code"]["coding"][0]["code"] == "1A990000000192071"
    assert number["valueQuantity"]["value"] == 300


def test_state_of_the_specimen_is_told():
    (batch,) = made(a1("12", item(), marks=("", "1+", "")))
    assert observations(batch)[0]["note"] == [{"text": "溶血 1+"}]


def test_the_whole_chart_id_of_o1_is_used():
    (batch,) = made(o1("000001234500001"), a1("0000012345", item()))
    assert batch.patient.value == "000001234500001"
    assert batch.demographics.birth.isoformat() == "1962-11-03"
    assert observations(batch)[0]["basedOn"]
    (alone,) = made(a1("0000012345", item()))
    assert alone.patient.value == "0000012345"
    assert "id-may-be-cut record 1" in findings(alone)
    assert "id-may-be-cut" not in " ".join(findings(made(a1("12", item()))[0]))


def test_a_cut_id_that_fits_two_people_is_refused():
    found = made(o1("000001234500001"), o1("000001234500002", "R-2"), a1("0000012345", item()))
    assert [batch.items for batch in found] == [()]
    assert found[0].findings[0].code == "malformed"


def test_a_whole_id_of_an_earlier_window_is_used_too(monkeypatch):
    monkeypatch.setattr(lab_fixed, "WINDOW", 512)
    records = (o1("000001234500001"), a1("34", item()), a1("34", item(AST)), a1("56", item()),
               a1("0000012345", item()))  # fmt: skip
    found = [batch.patient.value for batch in made(*records) if batch.items]
    assert found == ["34", "56", "000001234500001"]


@pytest.mark.parametrize(
    "content",
    [
        a1("12", item()) + b"x" + a1("34", item()),
        a1("12", item())[:100] + b"zz" + a1("34", item()),
        (a1("12", item()) + b"xx\r\n") * 2,
        b"A1000123" + b"\x00" * 248,
        b"A1000123" + b" " * 248,
    ],
)
def test_shifted_long_and_empty_records_are_refused(content):
    for batch in batches(Upload(path="a", content=content), format=format_named("lab-fixed")):
        assert not batch.items or batch.patient


def test_a_name_cut_in_a_character_keeps_the_rest():
    (batch,) = made(a1("12", item(), name="x見本花子太郎次郎三郎四"))
    assert "cut-character" in findings(batch)
    with pytest.raises(Malformed):
        broken = a1("12", item()).replace("ｶｸｳ".encode("cp932"), b"\xfd\xfd\xfd")
        read(Upload(path="a", content=broken))


def test_every_record_is_in_one_part():
    content = b"".join(a1(str(n % 5), item()) for n in range(40))
    parts = list(lab_fixed.split(io.BytesIO(content)))
    spans = sorted((span.start, span.end) for part in parts for span in part.own)
    assert spans[0][0] == 0
    assert all(one[1] == two[0] for one, two in itertools.pairwise(spans))
    assert spans[-1][1] == len(content)
    assert len(parts) == 5


RECORDS = [a1("12", item()), o1("000001234500001"), b"O2" + b" " * 254, b"\r\n", b"\x1a"]


@CALM
@given(st.lists(st.one_of(st.binary(max_size=300), st.sampled_from(RECORDS)), max_size=8))
def test_any_records_are_a_batch_or_a_refusal(records):
    content = b"A1000123" + b"".join(records)
    upload = Upload(path="a", content=content)
    try:
        for part in lab_fixed.split(io.BytesIO(content)):
            read(part_of(upload, part), format=lab_fixed.FORMAT)
    except Refusal:
        return


def test_fields_that_nothing_is_made_of_are_found_once():
    order = bytearray(o1("12"))
    for name, text in (("height", b"1602"), ("urgent", b"1"), ("weight", b"0000")):
        order[lab_fixed_layouts.ORDER[name]] = text
    load = b"O2" + pad("000123", 6) + pad("R-1", 20) + pad("3D01000", 15) + pad("75G", 10)
    (batch,) = made(
        bytes(order), load.ljust(256), a1("12", item()), a1("12", item(AST), date="20261105 1")
    )
    assert [one for one in findings(batch) if one.startswith("unmapped-field")] == [
        "unmapped-field record 2 load", "unmapped-field record 4 collected",
        "unmapped-field record 1 height", "unmapped-field record 1 urgent",
        "unmapped-field record 3 in_out",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("layout", "collected", "day"),
    [
        pytest.param("ORDER", "", None, id="blank"),
        pytest.param("ORDER", "000000", None, id="zeros"),
        pytest.param("ORDER", "261104", "", id="six digits say no era"),
        pytest.param("ORDER", "991399", "", id="no day"),
        pytest.param("ORDER_DATED", "20261104", "2026-11-04", id="a whole day"),
        pytest.param("ORDER_DATED", "20261350", "", id="a day that is none"),
    ],
)
def test_the_day_of_collection_of_an_order(layout, collected, day):
    places = getattr(lab_fixed_layouts, layout)
    order = bytearray(o1("12") if layout == "ORDER" else dated("12"))
    order[places["collected"]] = collected.ljust(len(order[places["collected"]])).encode()
    (batch,) = made(bytes(order), a1("12", item()))
    (request,) = [
        one for one in batch.items[0].companions if one["resourceType"] == "ServiceRequest"
    ]
    assert request.get("occurrenceDateTime") == (day or None)
    assert ("unmapped-field record 1 collected" in findings(batch)) is (day == "")


def dated(chart):
    head = b"O1" + pad("000123", 6) + pad("R-1", 20) + b" " * 15 + pad(chart, 10) + b" " * 5
    return (head + pad("ｶｸｳ ﾊﾅｺ", 20) + b"F" + b"19621103").ljust(256)

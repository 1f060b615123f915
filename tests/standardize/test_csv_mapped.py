"""CSV by mapping: shape, quoting, people, ditto, dates, codes; bad input for each of them."""

from dataclasses import replace

import pytest
from fhir.resources.R4B import get_fhir_model_class

from gateway.errors import Invalid, Malformed, Unsupported
from gateway.model.csv_mapping import load
from gateway.standardize import Upload, batches, read, recognise
from gateway.wire import fhir
from tests.shared import needs_shared, shared
from tests.standardize.build import DOMAIN, findings
from tests.standardize.conftest import FILES, MAPPINGS, sample_batches

LAB = load(
    """
facility: clinic-b
encoding: utf-8
row: {category: lab_result}
columns:
  - {from: id, to: patient.id, ditto: true, width: 4}
  - {from: name, to: patient.name}
  - {from: birth, to: patient.birth, date: era}
  - {from: date, to: date, ditto: true}
  - {from: code, to: code, code_system: JC10}
  - {from: item, to: name}
  - {from: value, to: value}
  - {from: unit, to: unit}
  - {from: flag, to: flag}
  - {from: note, to: comment}
""",
    "lab",
)
BY_ROW = replace(LAB, on_error="row")
HEAD = "id,name,birth,date,code,item,value,unit,flag,note"
TP = "3A010000002327101,総蛋白"
ROW = f"0001,架空 花子,S37.11.3,2026-11-04,{TP},7.10,g/dL,L,"


def upload(*rows, mapping=BY_ROW, head=HEAD, charset="utf-8", end="\r\n", mappings=None):
    text = end.join([head, *rows] if head else rows) + end
    return Upload(path="a.csv", content=text.encode(charset), domain=DOMAIN,
                  mappings=(mapping,) if mappings is None else mappings)  # fmt: skip


def made(*rows, **options):
    return list(batches(upload(*rows, **options)))


def values_of(batch):
    return [
        item.resource["valueQuantity"]["value"] if "valueQuantity" in item.resource
        else item.resource.get("valueString")
        for item in batch.items if item.resource["resourceType"] == "Observation"
    ]  # fmt: skip


def refusal(found):
    return next(f"{one.code} {one.at}" for batch in found for one in batch.findings)


def test_a_plain_row():
    (batch,) = made(ROW)
    assert batch.format == "csv/lab"
    assert batch.patient.value == "0001"
    assert batch.demographics.birth.isoformat() == "1962-11-03"
    observation, report = [item.resource for item in batch.items]
    assert b'"value":7.10,"unit":"g/dL"' in fhir.dumps(observation)
    assert observation["code"]["coding"][0]["system"].endswith("master-JLAC10-17digits")
    assert observation["interpretation"][0]["coding"][0]["code"] == "L"
    assert observation["effectiveDateTime"] == "2026-11-04"
    assert batch.items[0].companions[0]["type"]["text"] == "血清"
    assert report["result"] == [{"reference": f"urn:uuid:{observation['id']}"}]
    for one in (observation, report):
        get_fhir_model_class(one["resourceType"]).model_validate_json(fhir.dumps(one))


@pytest.mark.parametrize(
    ("row", "code", "at"),
    [
        (ROW + ",x", "row-shape", "row 2"),
        (ROW[:-1], "row-shape", "row 2"),
        (ROW.replace("総蛋白", '総"蛋白'), "csv-quoting", "row 2"),
        (ROW.replace("総蛋白", '"総"蛋白'), "csv-quoting", "row 2"),
        (ROW.replace("総蛋白", "総\x00蛋白"), "bad-characters", "row 2"),
        (ROW.replace("総蛋白", "総\x1b蛋白"), "bad-characters", "row 2"),
        (ROW.replace("総蛋白", "x" * 70_000), "row-too-long", "row 2"),
        (",".join("x" * 20_000), "row-too-long", "row 2"),
    ],
)
def test_a_row_out_of_shape_refuses_itself_or_the_file(row, code, at):
    found = made(row, ROW.replace("7.10", "8"))
    assert [f"{one.code} {one.at}" for b in found for one in b.findings][:1] == [f"{code} {at}"]
    assert sum(len(batch.items) for batch in found) == 2
    (whole,) = made(ROW, row, mapping=LAB)
    assert (whole.items, whole.findings[0].code) == ((), "malformed")
    assert whole.findings[0].at == "row 3"


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (ROW.replace("0001", "1.11E+08"), "exponent-number row 2 id"),
        (ROW.replace("0001", "1,11E+08".replace(",", ".")), "exponent-number row 2 id"),
        (ROW.replace("3A010000002327101", "3E10"), "exponent-number row 2 code"),
        (ROW.replace("0001", "０００１"), "id-not-plain row 2 id"),
        (ROW.replace("0001", "00\u202e01"), "id-not-plain row 2 id"),
        (ROW.replace("0001", "../1"), "id-not-plain row 2 id"),
        (ROW.replace("0001", ""), "field-missing row 2 id"),
        (ROW.replace("2026-11-04", "2026-02-30"), "bad-date row 2 date"),
        (ROW.replace("2026-11-04", "R8/11/4"), "bad-date row 2 date"),  # declared Western
        (ROW.replace("2026-11-04", "46330"), "bad-date row 2 date"),  # a spreadsheet's number
        (ROW.replace(TP, ","), "field-missing row 2 code"),
    ],
)
def test_what_a_cell_says_refuses_its_row_only(row, found):
    """Also where a row out of shape refuses the file (E-09)."""
    for mapping in (LAB, BY_ROW):
        result = made(row, ROW, mapping=mapping)
        assert found in [one for batch in result for one in findings(batch)]
        assert sum(len(batch.items) for batch in result) == 2


def test_nothing_of_a_refused_row_is_in_its_finding():
    for batch in made(ROW.replace("0001", "1.2345E+9"), ROW + ",secret"):
        for one in batch.findings:
            assert "1.2345" not in f"{one}"
            assert "secret" not in f"{one}"


def test_zeros_come_back_only_to_the_stated_width():
    assert made(ROW.replace("0001", "1"))[0].patient.value == "0001"
    assert made(ROW.replace("0001", "00012345"))[0].patient.value == "00012345"
    plain = replace(BY_ROW, columns=(replace(LAB.columns[0], width=0), *LAB.columns[1:]))
    assert made(ROW.replace("0001", "1"), mapping=plain)[0].patient.value == "1"


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1+x", "@SUM(1)", "＝1+1", "\t=1", "=cmd|'/c x'!A1", "#x", "a;b\tc"]
)
def test_formulas_are_kept_as_they_were_sent(cell):
    (batch,) = made(ROW + cell)
    note = batch.items[0].resource["note"][0]["text"]
    assert note == cell.strip()


def test_quotes_delimiters_and_line_breaks_inside_a_cell():
    (batch,) = made(ROW + '"a ""b"", c\r\nd\n\ne"', ROW.replace("7.10", "8"))
    assert batch.items[0].resource["note"][0]["text"] == 'a "b", c\r\nd\n\ne'
    assert batch.items[0].source.at == "row 2"
    assert batch.items[1].source.at == "row 6"
    assert batch.account["row 3"] == "used"


def test_an_open_quote_lets_no_later_row_in():
    found = made(ROW, ROW + '"abc', ROW.replace("0001", "0002"))
    assert [batch.patient and batch.patient.value for batch in found] == ["0001", None]
    assert found[1].findings[0].at == "row 3"


def test_a_header_again_blank_rows_and_the_end_mark_of_old_systems():
    found = made(ROW, HEAD, ",,,,,,,,,", "", ROW.replace("0001", "0002"), "\x1a")
    first, second = found
    assert first.account == {
        "row 1": "used", "row 2": "item Observation", "row 3": "used", "row 4": "empty-row",
    }  # fmt: skip
    assert second.account["row 6"] == "item Observation"


def test_ditto_cells_are_those_of_the_row_above_and_of_the_same_person():
    rows = (ROW, f",,,,{TP},8,g/dL,,", f"〃,,,同上,{TP},9,g/dL,,",
            ROW.replace("0001", "0002").replace("2026-11-04", ""))  # fmt: skip
    first, second = made(*rows)
    assert [str(one) for one in values_of(first)] == ["7.10", "8", "9"]
    moments = {item.resource["effectiveDateTime"] for item in first.items}
    assert moments == {"2026-11-04"}
    assert (second.items, findings(second)[:1]) == ((), ["field-missing row 5 date"])
    (batch,) = made(f",,,,{TP},8,g/dL,,")
    assert findings(batch) == ["field-missing row 2 id"]


def test_rows_of_several_people_are_parts_and_each_line_is_in_one():
    rows = [ROW.replace("0001", f"{n % 3:04d}") for n in range(9)]
    found = made(*rows)
    assert [batch.patient.value for batch in found] == ["0000", "0001", "0002"]
    places = [at for batch in found for at in batch.account if at != "row 1"]
    assert sorted(places) == sorted(f"row {n}" for n in range(2, 11))
    with pytest.raises(Malformed):
        read(upload(*rows))


def test_two_people_under_one_number_are_held():
    (batch,) = made(ROW, ROW.replace("S37.11.3", "S38.11.3"), ROW.replace("S37.11.3", ""))
    assert "person-clash row 3" in findings(batch)
    assert [item.source.at for item in batch.items] == ["row 2", "row 4", "row 2"]


@pytest.mark.parametrize("charset", ["cp932", "euc-jp", "iso-2022-jp", "utf-16le", "utf-8"])
def test_the_declared_encoding_binds(charset):
    """`security.md` F-04: EUC-JP only where it is declared, UTF-16 only with its mark."""
    mapping = replace(BY_ROW, encoding=charset)
    mark = "\ufeff" if charset in ("utf-16le", "utf-8") else ""
    codec = "iso2022_jp" if charset == "iso-2022-jp" else charset
    (batch,) = made(ROW, head=mark + HEAD, mapping=mapping, charset=codec)
    assert batch.demographics.names[0].full == "架空 花子"
    for other in {"cp932", "utf-16le", "utf-8"} - {charset}:
        wrong = replace(BY_ROW, encoding=other, on_error="file")
        again = made(ROW, head=mark + HEAD, mapping=wrong, charset=codec)
        assert [one.items for one in again] == [()]


def test_a_sep_line_says_the_mappings_delimiter_or_refuses():
    assert made(HEAD, ROW, head="sep=,")[0].items
    assert not made(HEAD, ROW, head="sep=;")[0].items
    assert not made(ROW.replace(",", ";"), head=HEAD.replace(",", ";"))[0].items


def test_a_header_that_lacks_columns_or_has_them_twice_is_named():
    (batch,) = made(ROW, head=HEAD.replace("unit", "einheit"))
    assert (batch.findings[0].code, batch.findings[0].at) == ("malformed", "row 1 unit")
    (batch,) = made(ROW, head=HEAD.replace("note", "unit"))
    assert batch.findings[0].at == "row 1 unit, note"
    order = HEAD.split(",")
    turned = made(",".join(reversed(ROW.split(","))), head=",".join(reversed(order)))
    assert len(turned[0].items) == 2


def test_exactly_one_mapping_must_fit():
    assert recognise(upload(ROW)).name == "csv"
    with pytest.raises(Invalid):
        recognise(upload(ROW, mappings=(LAB, replace(LAB, name="again"))))
    with pytest.raises(Unsupported):
        recognise(upload(ROW, mappings=()))
    with pytest.raises(Unsupported):
        recognise(upload("a,b", head="c,d"))


def test_columns_that_the_mapping_does_not_name_are_found_once():
    found = made(ROW + ",x", ROW + ",y", ROW + ",", head=HEAD + ",other")
    assert [one for one in findings(found[0]) if "unmapped-field" in one] == [
        "unmapped-field column 11"
    ]


def test_the_same_delivered_again_has_the_same_keys_and_a_resend_replaces():
    first, again = made(ROW, ROW.replace("2026-11-04", "2026-11-05")), made(ROW)
    assert again[0].items[0].key == first[0].items[0].key
    corrected = made(ROW.replace("7.10", "7.2"))
    assert corrected[0].items[0].key == first[0].items[0].key
    assert len({item.key for item in first[0].items}) == 4


@needs_shared
def test_published_cells_come_out_as_they_went_in_or_refuse_their_row():
    """`csv_cells.jsonl` of the hostile collection."""
    path = shared("security", "payloads", "gateway", "csv_cells.jsonl")
    for line in path.read_text("utf-8").splitlines():
        cell = str(fhir.loads(line)["cell"])
        quoted = '"' + cell.replace('"', '""') + '"'
        found = made(ROW + quoted, ROW.replace("0001", "0002"))
        assert "0002" in [batch.patient.value for batch in found if batch.patient]
        for batch in found:
            for item in batch.items:
                for note in item.resource.get("note", ()):
                    assert note["text"] == cell.strip(" \t\u3000")
        raw = made(ROW + cell, ROW.replace("0001", "0002"))
        assert any(batch.items for batch in raw) or "\n" in cell or '"' in cell


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith(("csv/", "lab-f"))])
def test_every_resource_of_the_samples_is_fhir(name):
    seen = 0
    for batch in sample_batches(name):
        resources = [one for item in batch.items for one in (item.resource, *item.companions)]
        for one in [*resources, *([batch.patient_resource] if batch.patient_resource else [])]:
            get_fhir_model_class(one["resourceType"]).model_validate_json(fhir.dumps(one))
            seen += 1
    assert seen
    assert len(MAPPINGS) == 7

"""CSV mappings: what is read, and what is refused by name."""

import pytest

from gateway.members.mappings import load_mappings, of_facility
from gateway.model.category import Category
from gateway.model.csv_mapping import MEANINGS, WORDS, load
from gateway.model.mapping import MappingError

GOOD = """
facility: clinic-b
encoding: cp932
row: {category: lab_result}
columns:
  - {from: 番号, to: patient.id, width: 8}
  - {from: 日, to: date, date: era}
  - {from: 項目, to: name}
  - {from: 値, to: value, unit: mg/dL}
"""


def test_a_mapping_and_its_defaults():
    mapping = load(GOOD, "lab")
    assert (mapping.name, mapping.facility, mapping.on_error) == ("lab", "clinic-b", "file")
    assert (mapping.header, mapping.separator) == (True, ",")
    assert mapping.row.category is Category.LAB_RESULT
    assert mapping.columns[0].width == 8
    assert load(GOOD + "delimiter: tab\n").separator == "\t"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("facility: clinic-b", "", "mapping.facility is missing"),
        ("facility: clinic-b", "facilty: x", "unknown key mapping.facilty"),
        ("cp932", "latin-1", "mapping.encoding: unknown value 'latin-1'"),
        ("lab_result", "nursing", "nursing has no CSV rows; possible: allergy, biometric"),
        ("lab_result", "x", "mapping.row.category: unknown value"),
        ("to: name", "to: nmae", "'nmae' is no word of lab_result; possible:"),
        ("to: name", "to: dose", "'dose' is no word of lab_result"),
        ("to: name", "to: date", "date stands twice"),
        ("to: name", "to: comment", "a code or name column is missing"),
        ("to: value, unit: mg/dL", "to: comment", "value missing"),
        ("to: patient.id, width: 8", "to: patient.name", "patient.id missing"),
        ("to: name", "to: name, width: 3", "width is for"),
        ("date: era", "date: imperial", "unknown value 'imperial'"),
        ("to: name", "to: name, date: era", "date is for"),
        ("to: name", "to: name, unit: g", "unit, code and name are for"),
        ("to: name", "to: name, code_system: YJ", "code_system is for codes"),
        ("to: name", "to: name, kind: 1", "unknown key mapping.columns.kind"),
        ("from: 項目", "from: 日", "a column stands twice"),
        ("from: 項目", "from: ' 項目'", "without blanks"),
        ("from: 番号", "from: 1", "must be str"),
        ("encoding: cp932", "encoding: cp932\ndelimiter: ab", "delimiter must be"),
        ("encoding: cp932", "encoding: cp932\nheader: false", "column number from 1"),
        ("encoding: cp932", "encoding: cp932\non_error: never", "unknown value 'never'"),
        ("to: name", "to: patient.sex, values: {a: man}", "unknown 'man'; possible: female"),
        ("to: name", "to: name, values: {a: b}", "values of name"),
    ],
)
def test_what_is_wrong_is_named(old, new, says):
    assert old in GOOD
    with pytest.raises(MappingError, match=says.replace("(", r"\(")):
        load(GOOD.replace(old, new, 1))


def test_a_wide_row_names_its_items_itself():
    wide = GOOD.replace("- {from: 項目, to: name}", "- {from: 別, to: value, name: 別}")
    with pytest.raises(MappingError, match="code or name of value"):
        load(wide)
    assert len(load(wide.replace("unit: mg/dL", "name: 値")).columns) == 4
    with pytest.raises(MappingError, match="several value columns"):
        load(GOOD + "  - {from: 他, to: value}\n")


def test_every_word_with_meanings_is_a_word():
    words = set().union(*WORDS.values()) | {"patient.sex"}
    assert set(MEANINGS) <= words


def test_the_files_of_an_installation(tmp_path):
    assert load_mappings(tmp_path) == ()
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "b.yaml").write_text(GOOD.replace("clinic-b", "lab-d"), "utf-8")
    (folder / "a.yaml").write_text(GOOD, "utf-8")
    found = load_mappings(tmp_path)
    assert [one.name for one in found] == ["a", "b"]
    assert [one.name for one in of_facility(found, "lab-d")] == ["b"]
    for content, says in ((b"\xff", "not UTF-8"), (b"a: 1", "mappings/c.yaml: unknown key")):
        (folder / "c.yaml").write_bytes(content)
        with pytest.raises(MappingError, match=says):
            load_mappings(tmp_path)
    (folder / "c.yaml").rename(folder / "c x.yaml")
    with pytest.raises(MappingError, match="name of a mapping"):
        load_mappings(tmp_path)

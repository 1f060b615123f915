"""SS-MIX2 storage: path against name against PID-3, flags, data types, refusals."""

import pytest

from gateway.errors import Invalid, Malformed, NotOwner, Refusal, Unsupported
from gateway.model.batch import Severity
from gateway.model.category import Category
from gateway.model.identifiers import Oid, PatientId
from gateway.standardize import UNSTATED, Upload, read, recognise
from gateway.standardize.ssmix2.data_types import MESSAGES, data_type_of
from gateway.standardize.ssmix2.storage import check_folders, stored_name
from gateway.wire import hl7v2
from tests.standardize.build import DOMAIN, PID, findings, hl7, only, stored

FILE = "0012345_20261102_OMP-01_000000000070001_20261102103000123_01_1"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (FILE, True),
        ("a/b/" + FILE, True),
        ("0012345_-_ADT-00_999999999999999_20261101090000_-_0", True),
        ("0012345_20261102_OMD_1_20261101090000000_01_2", True),
        ("0012345_20261102_OMX-01_1_20261101090000000_01_1", False),
        ("0012345_2026110_OMP-01_1_20261101090000000_01_1", False),
        ("0012345_20261102_OMP-01_1_20261101090000000_01_x", False),
        ("0012345_20261102_OMP-01_1_20261101090000000_01_1.hl7", True),
        ("0012345_20261102_OMP-01_1_20261101090000000_01_0.TXT", True),
        ("0012345_20261102_OMP-01_1_20261101090000000_01_1.bak", False),
        ("００１２３４５_２０２６１１０２_OMP-01_1_20261101090000000_01_1", False),
    ],
)
def test_names(name, is_one):
    assert (stored_name(name) is not None) == is_one


@pytest.mark.parametrize(
    ("folders", "agrees"),
    [
        pytest.param("001/234/0012345/20261102/OMP-01", True, id="as it should be"),
        pytest.param("root/001/234/0012345/20261102/OMP-01", True, id="below a root"),
        pytest.param("0012345/20261102/OMP-01", True, id="a part of the levels"),
        pytest.param("some/folder", True, id="no storage folders"),
        pytest.param("", True, id="none"),
        pytest.param("001/234/0012345/20261102/OMP-11", False, id="data type"),
        pytest.param("001/234/0012345/20261101/OMP-01", False, id="day"),
        pytest.param("001/234/7654321/20261102/OMP-01", False, id="patient"),
        pytest.param("999/234/0012345/20261102/OMP-01", False, id="first hash folder"),
        pytest.param("001/999/0012345/20261102/OMP-01", False, id="second hash folder"),
        pytest.param("7654321/20261102/OMP-01", False, id="patient in a part"),
        pytest.param("a/b/c/d/e", False, id="deep in something else"),
    ],
)
def test_folders(folders, agrees):
    """E-08: a name that contradicts its folders is refused."""
    path = f"{folders}/{FILE}" if folders else FILE
    if agrees:
        check_folders(path, stored_name(path))
    else:
        with pytest.raises(Invalid) as caught:
            check_folders(path, stored_name(path))
        assert caught.value.rule == "E-08"


def test_the_path_is_the_key_and_a_clash_is_found():
    other = PID.replace("0012345", "7654321")
    batch = stored("ADT^A08", "EVN||20261101", other, "PV1|1|O", "AL1|1|DA|1^x^HOT9")
    assert batch.patient == PatientId(DOMAIN, "0012345")
    clash = [one for one in batch.findings if one.code == "pid-clash"]
    assert [(one.at, one.severity) for one in clash] == [("PID-3", Severity.ERROR)]
    assert "7654321" not in str(batch.findings)
    assert batch.demographics is None
    assert batch.patient_resource is None
    assert batch.account["PID[1]"] == "pid-clash"
    assert len(batch.items) == 1


def test_outside_a_tree_the_name_counts_then_pid_3():
    content = hl7("ADT^A08", "EVN||20261101", PID, "PV1|1|O")
    named = read(Upload(path="x/0012345_-_ADT-00_1_20261101090000000_-_1", content=content))
    assert named.patient == PatientId(UNSTATED, "0012345")
    unnamed = read(Upload(path="anything.hl7", content=content))
    assert unnamed.patient == named.patient
    assert unnamed.format == "hl7/ADT^A08"
    assert unnamed.version == "20261101090000000"
    with pytest.raises(Malformed) as caught:
        read(Upload(path="x", content=hl7("ADT^A08", "EVN||20261101", "PID|1||")))
    assert (caught.value.at, caught.value.rule) == ("PID-3", "HL7 AE 101")


@pytest.mark.parametrize(
    ("identifier", "domain", "outcome"),
    [
        pytest.param("7^^^F&2.999.30.1&ISO^PI", DOMAIN, "2.999.30.1", id="its own authority"),
        pytest.param("7^^^^PI", DOMAIN, "2.999.30.1", id="none stated"),
        pytest.param("7^^^F&2.999.2&ISO^PI", DOMAIN, NotOwner, id="HL7-14 another's"),
        pytest.param("7^^^A&2.999.30.1&ISO~9^^^F&2.999.2&ISO", DOMAIN, NotOwner, id="HL7-17"),
        pytest.param("7^^^F&2.999.5&ISO^PI", None, "2.999.5", id="stated, nobody to compare"),
        pytest.param("7^^^F&x.y&ISO^PI", None, Malformed, id="no OID"),
        pytest.param("..", DOMAIN, Malformed, id="climbing"),
        pytest.param("12/34", DOMAIN, Malformed, id="a path"),
        pytest.param("1" * 65, DOMAIN, Malformed, id="too long"),
    ],
)
def test_whose_identifier(identifier, domain, outcome):
    segments = ["EVN||20261101", PID.replace("0012345^^^^PI", identifier), "PV1|1|O"]
    upload = Upload(path="x", content=hl7("ADT^A08", *segments), domain=domain)
    if isinstance(outcome, str):
        assert read(upload).patient.domain == Oid(outcome)
    else:
        with pytest.raises(outcome):
            read(upload)


@pytest.mark.parametrize("flag", ["0", "1", "2"])
def test_condition_flags(flag):
    """`1` valid, `0` deleted, `2` superseded: history never touches the current record."""
    order = ["ORC|NW|000000000070001||1", "RXE||1^x^HOT9|1||TAB^錠^MR9P", "TQ1|1", "RXR|PO"]
    batch = stored("RDE^O11", PID, *order, flag=flag)
    if flag == "2":
        assert batch.items == ()
        assert set(batch.account.values()) == {"superseded"}
        assert findings(batch) == ["superseded path"]
        assert batch.scope == ""
        return
    (item,) = batch.items
    assert item.cancelled == (flag == "0")
    assert item.resource["status"] == {"0": "entered-in-error", "1": "active"}[flag]
    assert batch.scope == "prescription|000000000070001|"
    assert item.key.startswith(batch.scope)
    assert item.version == batch.version == "20261101090000000"
    assert ("deleted path" in findings(batch)) == (flag == "0")


def test_shorter_issue_times_compare():
    batch = stored("ADT^A08", "EVN||20261101", PID, "PV1|1|O", issued="20261101")
    assert batch.version == "20261101000000000"


@pytest.mark.parametrize("data_type", MESSAGES)
def test_every_data_type_is_recognised_and_accounted(data_type):
    kind = sorted(MESSAGES[data_type])[0]
    path = f"0012345_20261101_{data_type}_1_20261101090000000_01_1"
    upload = Upload(path=path, content=hl7(kind, PID, "ORC|NW|1", "ZZZ|1", "junk"))
    assert recognise(upload).name == "ssmix2"
    batch = read(upload)
    assert batch.format == f"ssmix2/{data_type}"
    assert len(batch.account) == 5
    left = {one for one in batch.account.values() if not one.startswith("item ")}
    assert left <= {"used", "not-yet-mapped", "not-a-segment", "field-missing"}


def test_a_message_of_another_type_than_its_name_is_refused():
    path = "0012345_-_ADT-00_999999999999999_20261101090000000_-_1"
    with pytest.raises(Invalid):
        read(Upload(path=path, content=hl7("OUL^R22", PID)))


@pytest.mark.parametrize(
    ("segments", "data_type"),
    [
        (["ORC|NW|1||1", "RXE||1^x^HOT9|1||T", "TQ1|1", "RXR|PO"], "OMP-01"),
        (["ORC|NW|1||1", "RXE||1^x^HOT9|1||T", "TQ1|1", "RXR|IV"], "OMP-02"),
        (["ORC|NW|1||1", "RXE||1^x^HOT9|1||T", "TQ1|1", "RXR|PO", "RXC|A|1"], "OMP-02"),
    ],
)
def test_prescription_and_injection_are_told_apart(segments, data_type):
    content = hl7("RDE^O11", PID, *segments)
    assert data_type_of(hl7v2.parse(content)) == data_type
    assert read(Upload(path="x", content=content)).format == "hl7/RDE^O11"


def test_an_order_number_that_contradicts_the_name():
    order = ["ORC|NW|999||1", "RXE||1^x^HOT9|1||TAB^錠^MR9P", "TQ1|1", "RXR|PO"]
    assert "order-clash ORC[1].2" in findings(stored("RDE^O11", PID, *order))


def test_what_nobody_takes_is_found():
    extra = ["PV1|1|O", "ZQQ|1|x", "AL1", "not a segment"]
    batch = stored("ADT^A08", "EVN||20261101", PID + "|||||||||||||||||||||X", *extra)
    assert batch.account["ZQQ[1]"] == "not-yet-mapped"
    assert batch.account["line[1]"] == "not-a-segment"
    found = findings(batch)
    assert "not-yet-mapped ZQQ[1]" in found
    assert "not-a-segment line[1]" in found
    assert any(one.startswith("unmapped-field PID[1].") for one in found)
    assert len(batch.account) == 7


def test_nothing_recognises_other_things():
    for content in (b"", b" %PDF-1.7", b"<html>", b"a,b,c", b"MSHX|", b"MSH", b"PK"):
        with pytest.raises(Unsupported):
            recognise(Upload(path="x.csv", content=content))


@pytest.mark.parametrize(
    ("birth", "found"),
    [("20260230", "bad-date PID[1].7"), ("00000000", "bad-date PID[1].7"), ("19621103", None)],
)
def test_a_birth_that_is_no_date_is_left_out(birth, found):
    pid = PID.replace("19621103", birth)
    batch = stored("ADT^A08", "EVN||20261101", pid, "PV1|1|O")
    assert (batch.demographics.birth is None) == bool(found)
    assert found is None or found in findings(batch)


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("山田^太郎^^^^^L^I~ヤマダ^タロウ^^^^^L^P", ["山田 太郎 IDE", "ヤマダ タロウ SYL"]),
        ("YAMADA^TARO^^^^^L^A", ["YAMADA TARO ABC"]),
        ("山田太郎", ["山田太郎 IDE"]),
        ("ﾔﾏﾀﾞ ﾀﾛｳ", ["ﾔﾏﾀﾞ ﾀﾛｳ SYL"]),
        ("^太郎", ["太郎 IDE"]),
        (r"山\T\田^太郎", ["山&田 太郎 IDE"]),
        ("山田&x^太郎", ["山田 太郎 IDE"]),
        ("^^", []),
    ],
)
def test_names_stay_as_they_were_sent(name, texts):
    pid = f"PID|1||0012345||{name}||19621103|F"
    batch = stored("ADT^A08", "EVN||20261101", pid, "PV1|1|O", charset="utf-8")
    found = [f"{one.full} {one.script.value}" for one in batch.demographics.names]
    assert found == texts


def test_invisible_characters_in_a_name_are_shown():
    pid = "PID|1||0012345||山\u202e田^太\u200b郎||19621103|F"
    batch = stored("ADT^A08", "EVN||20261101", pid, "PV1|1|O", charset="utf-8")
    assert batch.demographics.names[0].full == "山[U+202E]田 太[U+200B]郎"
    assert "invisible-character PID[1].5" in findings(batch)
    flood = "PID|1||0012345||あ" + "\u0301" * 500 + "^x||19621103|F"
    with pytest.raises(Malformed):
        stored("ADT^A08", "EVN||20261101", flood, "PV1|1|O", charset="utf-8")
    long = f"PID|1||0012345||{'山' * 201}^x||19621103|F"
    with pytest.raises(Refusal):
        stored("ADT^A08", "EVN||20261101", long, "PV1|1|O", charset="utf-8")


def test_addresses_and_telephones():
    pid = PID + (
        "|||1-2-3^^試験市^見本県^999-0001^JPN^H~^^^^105^^B^全住所"
        "||^PRN^PH^^^^^^^^^000-1^^~^PRN^CP^^^^^^^^^090~^NET^Internet^a@example.org|03-1^WPN^FX"
    )
    batch = stored("ADT^A08", "EVN||20261101", pid, "PV1|1|O")
    places = [(one.text, one.postal_code, one.use) for one in batch.demographics.addresses]
    assert places == [("見本県試験市1-2-3", "999-0001", "H"), ("全住所", "105", "WP")]
    calls = [(one.value, one.use) for one in batch.demographics.telecoms]
    assert calls == [("000-1", "H"), ("090", "MC"), ("mailto:a@example.org", ""),
                     ("fax:03-1", "WP")]  # fmt: skip


def test_adt_00_measures_and_allergies():
    batch = stored(
        "ADT^A08",
        "EVN||20261101",
        PID,
        "PV1|1|O",
        "OBX|1|NM|9N001000000000001^身長^JC10||152.0|cm^cm^ISO+|||||F",
        "OBX|2|NM|9N006000000000001^体重^JC10||測れず|kg^kg^ISO+|||||F",
        "OBX|3|NM|9N006000000000001^体重^JC10||||||||F",
        "AL1|1|FA|S1^そば^99ALG|SV|じんましん|20200101",
        "AL1|2|MA|",
    )
    height, weight = [
        item.resource for item in batch.items if item.resource["resourceType"] == "Observation"
    ]
    assert str(height["valueQuantity"]["value"]) == "152.0"
    assert weight["valueString"] == "測れず"
    assert batch.items[0].category is Category.NURSING
    allergy = only(batch, "AllergyIntolerance")
    assert allergy["category"] == ["food"]
    assert allergy["reaction"] == [
        {"manifestation": [{"text": "じんましん"}], "severity": "severe"}
    ]
    found = findings(batch)
    assert {"not-a-number OBX[2].5", "field-missing OBX[3]", "field-missing AL1[2]"} <= set(found)
    assert batch.scope == "ssmix2/ADT-00|"


def test_a_deleted_patient_and_a_severity_alone():
    batch = stored(
        "ADT^A08", "EVN||20261101", PID, "AL1|1|DA|1^x^HOT9|SV", "OBX|1|NM|1^x^JC10||1", flag="0"
    )
    assert batch.patient_resource["active"] is False
    allergy = only(batch, "AllergyIntolerance")
    assert "clinicalStatus" not in allergy
    assert allergy["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert allergy["reaction"][0]["severity"] == "severe"
    assert "extension" in allergy["reaction"][0]["manifestation"][0]
    assert all(item.cancelled for item in batch.items)


def test_relatives_and_an_empty_update():
    nk1 = "NK1|1|架空^次郎^^^^^L^I|SPO^配偶者^HL70063|^^^^999^JPN^H^町|03-1|03-2|||||||会社"
    batch = stored("ADT^A08", "EVN||20261101", PID, nk1, "NK1|2")
    (contact,) = batch.patient_resource["contact"]
    assert contact["relationship"][0]["text"] == "配偶者"
    assert contact["organization"] == {"display": "会社"}
    assert batch.items == ()
    assert batch.scope == "ssmix2/ADT-00|"


def test_an_extension_does_not_hide_that_a_file_is_deleted():
    content = hl7("RDE^O11", PID, "ORC|NW|000000000070001", "RXE||1^薬^HOT9|1")
    batch = read(Upload(path=FILE[:-1] + "0.hl7", content=content, domain=DOMAIN))
    assert [one.cancelled for one in batch.items] == [True]


def test_a_condition_flag_that_nobody_knows_is_refused():
    content = hl7("RDE^O11", PID, "ORC|NW|000000000070001", "RXE||1^薬^HOT9|1")
    with pytest.raises(Invalid, match="condition flag"):
        read(Upload(path=FILE[:-1] + "3", content=content, domain=DOMAIN))

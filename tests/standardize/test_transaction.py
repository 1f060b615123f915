"""SS-MIX2 transaction storage, index and extended storage: who, what, and what is refused."""

import base64
import hashlib
import io
import sqlite3

import pytest

from gateway.errors import Invalid, Malformed, NotOwner, NotPermitted, Refusal
from gateway.model.category import Category
from gateway.standardize import Upload, batches, read, recognise
from gateway.standardize.ssmix2 import EXTENDED, transaction
from tests.standardize.build import DOMAIN, PID, findings, hl7, stored
from tests.standardize.conftest import sample_batches

OTHER = PID.replace("0012345", "0067890")
PV1 = "PV1|1|O|01^^^^^C"
RX = ("ORC|NW|000000000070001||70001_01_001|||||20261102103000",
      "TQ1|||1013044400000000&x&JAMISDP01|||5^D|20261102",
      "RXE||103835401^x^HOT9|1||TAB^T^MR9P|||||15|TAB^T^MR9P", "RXR|PO^PO^HL70162")  # fmt: skip
ISSUED = "20261102103000123"


def header(patient="0012345", kind="INS", data_type="OMP-01", facility="1310000001", day="20261102",
           order="000000000070001", moment=ISSUED, version="2.00"):  # fmt: skip
    fields = ("#SSMIX", version, facility, patient, day, data_type, order, kind, "01", moment)
    return ",".join(fields).encode() + b"\r\n"


def order(pid=PID):
    return hl7("RDE^O11", pid, PV1, *RX)


def upload(content, **more):
    return Upload(
        path="2026/TR_20261102103000123_00001.DAT", content=content, domain=DOMAIN, **more
    )


def whole(content, **more):
    return list(batches(upload(content, **more)))


def test_the_same_message_has_the_keys_and_versions_of_the_standardized_storage():
    """STG-04: the header says what a stored file's name says."""
    (batch,) = whole(header() + order())
    tree = stored("RDE^O11", PID, PV1, *RX, issued=ISSUED)
    assert batch.format == "ssmix2-transaction/OMP-01"
    assert (batch.patient, batch.version, batch.scope) == (tree.patient, tree.version, tree.scope)
    assert [(i.key, i.version, i.cancelled, i.resource) for i in batch.items] == [
        (i.key, i.version, i.cancelled, i.resource) for i in tree.items
    ]
    assert batch.items
    assert batch.account["row 1"] == "used"


def test_del_takes_back_what_it_names():
    (batch,) = whole(header(kind="DEL") + order())
    assert all(item.cancelled for item in batch.items)
    assert "deleted row 1" in findings(batch)


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
@pytest.mark.parametrize("left", [b"", b"\x1c\r", b"\r\n"])
def test_each_header_with_its_message_is_a_part_in_order(end, left):
    first, second, third = header(), header("0067890"), header(moment="20261102120000000")
    content = b"".join(
        head[:-2] + end + message + left
        for head, message in ((first, order()), (second, order(OTHER)), (third, order()))
    )
    found = whole(content)
    assert [one.patient.value for one in found] == ["0012345", "0067890", "0012345"]
    assert [one.version for one in found] == [ISSUED, ISSUED, "20261102120000000"]
    for one in found:
        (item,) = one.items
        assert content[item.source.start : item.source.end].startswith(b"RXE|")
    parts = list(recognise(upload(content)).split(io.BytesIO(content)))
    assert b"".join(content[p.own[0].start : p.own[0].end] for p in parts) == content


def test_a_patient_of_the_header_who_is_not_pid_3_is_found():
    (batch,) = whole(header("0067890") + order())
    assert batch.patient.value == "0067890"
    assert "pid-clash PID-3" in findings(batch)
    assert batch.demographics is None


def test_an_order_number_that_differs_and_a_day_that_is_none_are_found():
    (batch,) = whole(header(order="1", day="20261331") + order())
    assert {"order-clash ORC[1].2", "bad-date row 1"} <= set(findings(batch))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(header(kind="UPD"), id="neither INS nor DEL"),
        pytest.param(header(version="9.0"), id="version"),
        pytest.param(header(patient=""), id="no patient"),
        pytest.param(header(patient="../x"), id="patient is a path"),
        pytest.param(header(day="2026"), id="day"),
        pytest.param(header(moment="x"), id="moment"),
        pytest.param(header(data_type="OMX-01"), id="data type"),
        pytest.param(header(data_type="OMP-11"), id="data type of another message"),
        pytest.param(header()[:-2] + b",1\r\n", id="a field too many"),
        pytest.param(b"#SSMIX,2.00\r\n", id="fields missing"),
        pytest.param("#SSMIX,２.00".encode("cp932") + b"\r\n", id="not ASCII"),
    ],
)
def test_a_header_that_cannot_be_used_refuses_its_message_and_no_other(head):
    found = whole(header() + order() + head + order() + header("0067890") + order(OTHER))
    assert [bool(one.items) for one in found] == [True, False, True]
    assert found[1].patient is None
    assert "2026" not in str(found[1].findings)


@pytest.mark.parametrize(
    "message", [b"", b"garbage\r", b"\x00\xff", order() + order(), hl7("ADT^A40", PID)]
)
def test_a_message_that_cannot_be_read_refuses_itself_alone(message):
    found = whole(header() + message + b"\r" + header("0067890") + order(OTHER))
    assert [bool(one.items) for one in found] == [False, True]
    assert found[0].findings[0].severity.value == "error"


def test_lines_between_messages_are_accounted_for():
    found = whole(header() + order() + b"between|1\r" + header("0067890") + order(OTHER))
    assert found[0].account["line[1]"] == "not-a-segment"


@pytest.mark.parametrize(
    ("code", "refused"), [("", False), ("1310000001", False), ("1310000002", True)]
)
def test_the_facility_of_the_header_is_the_sender(code, refused):
    """E-04: a registered institution code binds."""
    (batch,) = whole(header() + order(), institution=code)
    assert bool(batch.items) is not refused
    with pytest.raises(NotPermitted) if refused else pytest.MonkeyPatch.context():
        read(upload(header() + order(), institution=code))


def test_two_facilities_in_one_file_refuse_it_whole():
    (batch,) = whole(header() + order() + header(facility="1310000002") + order())
    assert findings(batch) == ["malformed row 9"]
    assert batch.items == ()


def test_foreign_numbers_are_refused():
    with pytest.raises(NotOwner):
        read(upload(header() + order(PID.replace("^^^^PI", "^^^X&2.999.30.2&ISO^PI"))))


@pytest.mark.parametrize("content", [b"x\r#SSMIX,2.00\r", b"#SSMIX", b"SSMIX,2.00"])
def test_what_does_not_begin_with_a_header_is_no_transaction_file(content):
    assert not transaction.recognise(upload(content))


def test_the_sample():
    found = sample_batches("ssmix2-transaction/2026/TR_20261107000000000_00001.DAT")
    assert [(one.patient.value, one.format) for one in found] == [
        ("0012345", "ssmix2-transaction/OMP-01"), ("0067890", "ssmix2-transaction/ADT-61"),
        ("0012345", "ssmix2-transaction/OMP-01"),
    ]  # fmt: skip
    assert [item.cancelled for item in found[2].items] == [True]


# --- index ----------------------------------------------------------------------------------------


def index(kind, tmp_path):
    columns = "VolumeLabel,FacilityID,PatientID,OrderDate,DataKind,OrderNo,ProcessingType"
    if kind == "database":
        path = tmp_path / "i.db"
        with sqlite3.connect(path) as db:
            db.execute(f"CREATE TABLE SSMIXIDX ({columns})")
        db.close()
        return "any.db", path.read_bytes()
    if kind == "name":
        return "export/ssmixidx_2026.dat", b"anything"
    return "index.csv", f"{columns}\r\nSTD01,1310000001,0012345,-,ADT-00,1,INS\r\n".encode()


@pytest.mark.parametrize("kind", ["database", "name", "table"])
def test_an_index_is_neither_trusted_nor_kept(kind, tmp_path):
    """E-08: what it says of files and deletions is not believed."""
    path, content = index(kind, tmp_path)
    batch = read(Upload(path=path, content=content, domain=DOMAIN))
    assert (batch.format, batch.patient, batch.items) == ("ssmix2-index", None, ())
    assert findings(batch) == ["index-not-kept SSMIXIDX"]
    assert not batch.keep


def test_another_database_is_no_index():
    with pytest.raises(Refusal):
        recognise(Upload(path="x.db", content=b"SQLite format 3\x00other"))


# --- extended storage -----------------------------------------------------------------------------

PDF = b"%PDF-1.7\n%made up\n"
CDA = b'<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id/></ClinicalDocument>'
DISCHARGE = "L001^^18842-5^退院時サマリー^LN"
FOLDER = f"001/234/0012345/20261105/{DISCHARGE}/doc1"


def extended(path=f"{FOLDER}/summary.pdf", content=PDF):
    return read(Upload(path=path, content=content, in_tree=True, domain=DOMAIN))


@pytest.mark.parametrize(
    ("code", "category"),
    [("18842-5", Category.MEDICAL), ("57133-1", Category.MEDICAL), ("11506-3", Category.PROGRESS)],
)
def test_a_document_of_a_known_kind_is_referred_to_by_its_bytes(code, category):
    batch = extended(FOLDER.replace("18842-5", code) + "/a.pdf")
    (item,) = batch.items
    attachment = item.resource["content"][0]["attachment"]
    assert item.category is category
    assert item.resource["type"]["coding"][0] == {"code": code, "system": "http://loinc.org"}
    assert attachment["contentType"] == "application/pdf"
    assert attachment["size"] == len(PDF)
    assert (
        attachment["hash"]
        == base64.b64encode(hashlib.sha1(PDF, usedforsecurity=False).digest()).decode()
    )
    assert attachment["url"].endswith(hashlib.sha256(PDF).hexdigest())
    assert batch.account == {"document": "item DocumentReference"}
    assert (item.source.start, item.source.end) == (0, len(PDF))


def test_a_cda_document_is_known_by_its_root():
    assert extended(content=CDA).items[0].resource["content"][0]["attachment"]["contentType"] == (
        "text/xml"
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param(f"{FOLDER}/a.pdf", b"<html/>", id="content is not what it seems"),
        pytest.param(f"{FOLDER}/a.bin", b"\x00\x01", id="bytes"),
        pytest.param(f"{FOLDER}/a.pdf", b"", id="nothing"),
        pytest.param(FOLDER.replace("18842-5", "99999-9") + "/a.pdf", PDF, id="kind unknown"),
        pytest.param(FOLDER.replace("^LN", "^99XYZ") + "/a.pdf", PDF, id="system is local"),
        pytest.param(f"{FOLDER}/main_document.hl7", hl7("MDM^T02", PID), id="message unknown"),
        pytest.param(f"{FOLDER}/main_document.hl7", hl7("ORU^R01", PID, OTHER), id="two patients"),
    ],
)
def test_what_has_no_known_layout_is_kept_and_set_aside(path, content):
    batch = extended(path, content)
    assert batch.items == ()
    assert "layout-unknown" in {one.code for one in batch.findings}
    assert batch.patient.value == "0012345"


def test_a_document_folder_named_like_a_stored_file_has_version_and_flag():
    name = "0012345_20261105_L001_DOC9_20261105120000000_01_"
    first = extended(f"001/234/0012345/20261105/{DISCHARGE}/{name}1/a.pdf")
    gone = extended(f"001/234/0012345/20261105/{DISCHARGE}/{name}0/a.pdf")
    old = extended(f"001/234/0012345/20261105/{DISCHARGE}/{name}2/a.pdf")
    assert first.items[0].version == "20261105120000000"
    assert (gone.items[0].key, gone.items[0].cancelled) == (first.items[0].key, True)
    assert (old.items, findings(old)) == ((), ["superseded document"])


@pytest.mark.parametrize(
    "path",
    [f"999/234/0012345/20261105/{DISCHARGE}/d/a.pdf", f"001/9/0012345/-/{DISCHARGE}/d/a.pdf"],
)
def test_folders_that_contradict_one_another_are_refused(path):
    with pytest.raises(Invalid):
        extended(path)


@pytest.mark.parametrize("path", ["a.pdf", f"x/{DISCHARGE}/a.pdf", "0012345/20261105/OMP-01/a.pdf"])
def test_other_places_are_not_of_an_extended_storage(path):
    assert not EXTENDED.recognise(Upload(path=path, content=PDF))
    with pytest.raises(Malformed):
        EXTENDED.read(Upload(path=path, content=PDF))


def test_vital_signs_with_a_code_of_everybody_are_taken():
    content = hl7(
        "ORU^R01", PID, "OBR|1|||V^vital^99V|||20261105090000",
        "OBX|1|NM|8867-4^HR^LN||72|/min|||||F|||20261105090000",
        "OBX|2|NM|V02^x^99V||36.5|Cel|||||F|||20261105090000",
    )  # fmt: skip
    batch = extended(FOLDER.replace("18842-5", "85353-1") + "/vital.hl7", content)
    (item,) = batch.items
    assert item.category is Category.BIOMETRIC
    assert item.resource["meta"]["profile"][0].endswith("JP_Observation_VitalSigns")
    assert str(item.resource["valueQuantity"]["value"]) == "72"
    assert batch.account["OBX[2]"] == "layout-unknown"


def test_a_patient_of_the_folder_who_is_not_pid_3_is_found():
    content = hl7("ORU^R01", OTHER, "OBR|1|||V|||20261105", "OBX|1|NM|8867-4^HR^LN||72|||||F")
    batch = extended(f"{FOLDER}/v.hl7", content)
    assert "pid-clash PID-3" in findings(batch)
    assert batch.demographics is None

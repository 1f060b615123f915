"""HL7 v2.5 messages outside a storage: which are taken, and files with several of them (E-02)."""

import io

import pytest

from gateway.errors import Malformed, NotOwner, Refusal, Unsupported
from gateway.model.identifiers import Oid
from gateway.standardize import Upload, batches, read, recognise
from gateway.standardize.format import part_of
from gateway.standardize.hl7 import TYPES, messages
from gateway.standardize.ssmix2.data_types import MESSAGES
from gateway.wire import hl7v2
from tests.standardize.build import DOMAIN, PID, findings, hl7, stored
from tests.standardize.conftest import sample, sample_batches

OTHER = PID.replace("0012345", "0067890")
PV1 = "PV1|1|O|01^^^^^C"
FHS = b"FHS|^~\\&|A|B\r"
BHS = b"BHS|^~\\&|A|B\r"
RX = ("ORC|NW|70001||70001_01_001|||||20261102103000",
      "TQ1|||1013044400000000&x&JAMISDP01|||5^D|20261102",
      "RXE||103835401^x^HOT9|1||TAB^T^MR9P|||||15|TAB^T^MR9P", "RXR|PO^PO^HL70162")  # fmt: skip


def upload(content, path="in.hl7"):
    return Upload(path=path, content=content, domain=DOMAIN)


def a08(pid=PID):
    return hl7("ADT^A08", "EVN||20261101090000", pid, PV1)


def whole(content):
    """Every batch, or the one finding of a file that is refused as a whole."""
    return list(batches(upload(content)))


@pytest.mark.parametrize("kind", sorted(kind for kinds in MESSAGES.values() for kind in kinds))
def test_every_message_of_a_storage_is_taken_without_one(kind):
    batch = read(upload(hl7(kind, "EVN||20261101090000", PID, PV1)))
    assert batch.format == f"hl7/{kind}"
    assert batch.patient.value == "0012345"
    assert all(batch.account.values())


def test_the_same_order_by_message_and_from_the_storage_is_one(monkeypatch):
    """STG-04: keys, ids and resources are equal; the order states everything under it."""
    stored_batch = stored("RDE^O11", PID, PV1, *RX, time="20261101090000")
    message = read(upload(hl7("RDE^O11", PID, PV1, *RX)))
    assert [(i.key, i.version, i.resource) for i in message.items] == [
        (i.key, i.version, i.resource) for i in stored_batch.items
    ]
    assert message.items
    assert message.scope == stored_batch.scope != ""


@pytest.mark.parametrize("kind", ["ADT^A08", "ADT^A31", "ADT^A60", "PPR^ZD1", "ORU^R01"])
def test_what_may_be_a_part_ends_nothing(kind):
    """A list that came by message may be incomplete: what it lacks is not removed."""
    assert read(upload(hl7(kind, "EVN||20261101090000", PID, PV1))).scope == ""


def test_a_storages_own_profile_keeps_its_meaning():
    batch = read(upload(hl7("PPR^ZD1", PID, profile="SS-MIX2_1.20^SS-MIX2^1.2.392^ISO")))
    assert batch.scope != ""


@pytest.mark.parametrize(("section", "key"), [("EC", "physiology|"), ("CH", "lab|"), ("", "lab|")])
def test_results_of_physiology_are_told_by_the_diagnostic_service(section, key):
    obr = f"OBR|1|80001||X^x^99L|||20261104|||||||||||||||||{section}|F"
    batch = read(upload(hl7("ORU^R01", PID, obr, "OBX|1|NM|1^x^99L||7|||||F")))
    assert all(item.key.startswith(key) for item in batch.items)
    assert batch.items


@pytest.mark.parametrize(("visit", "data_type"), [("I", "ADT-22"), ("O", "ADT-12")])
def test_a11_takes_back_what_it_is_about(visit, data_type):
    pv1 = f"PV1|1|{visit}|1" + "|" * 41 + "20261101090000"
    batch = read(upload(hl7("ADT^A11", "EVN||20261101", PID, pv1)))
    (item,) = batch.items
    assert item.key.startswith(f"ssmix2|{data_type}|")
    assert item.cancelled


def test_a23_takes_the_description_back():
    batch = read(upload(hl7("ADT^A23", "EVN||20261101", PID, PV1)))
    assert batch.patient_resource["active"] is False


@pytest.mark.parametrize("kind", sorted(name for name, kind in TYPES.items() if kind.acknowledges))
def test_an_answer_to_an_order_adds_nothing_and_is_accounted_for(kind):
    batch = read(upload(hl7(kind, "MSA|AA|1", PID, "ORC|OK|1|2", "OBR|1|1|2|x")))
    assert batch.items == ()
    assert findings(batch) == ["acknowledgement MSA[1]"]
    assert set(batch.account.values()) == {"acknowledgement"}
    assert batch.patient.value == "0012345"
    assert read(upload(hl7(kind, "MSA|AA|1"))).patient is None


@pytest.mark.parametrize("event", sorted(messages.IDENTITY_EVENTS))
def test_merges_are_refused_with_the_way_they_go(event):
    with pytest.raises(Unsupported, match="ITI-44") as caught:
        read(upload(hl7(event, "EVN||20261101", PID, "MRG|1")))
    assert caught.value.rule == "HL7 AE 204"


@pytest.mark.parametrize(("kind", "code"), [("ADT^Z99", "201"), ("SIU^S12", "200")])
def test_other_messages_are_refused(kind, code):
    with pytest.raises(Unsupported) as caught:
        read(upload(hl7(kind, PID)))
    assert caught.value.rule == f"HL7 AR {code}"


def test_two_patients_in_one_message_are_refused():
    with pytest.raises(Malformed) as caught:
        read(upload(hl7("ORU^R01", PID, "OBR|1|1||x", OTHER, "OBR|1|2||x")))
    assert caught.value.at == "PID[2]"


@pytest.mark.parametrize("pid", ["PID|1||^^^^PI||A^B", "PV1|1|O"])
def test_a_message_without_a_number_is_refused(pid):
    with pytest.raises(Malformed) as caught:
        read(upload(hl7("ADT^A08", "EVN||20261101", pid)))
    assert caught.value.at == "PID-3"


@pytest.mark.parametrize(
    ("number", "refused"), [("9^^^F&2.999.30.2&ISO", True), ("9^^^F&2.999.30.1&ISO", False),
                            ("9", False), ("", False)]
)  # fmt: skip
def test_foreign_numbers_of_a_merge(number, refused):
    message = hl7v2.parse(hl7("ADT^A40", "EVN||20261101", PID, f"MRG|{number}"))
    if refused:
        with pytest.raises(NotOwner):
            messages.refuse_foreign(upload(b""), message)
    else:
        messages.refuse_foreign(upload(b""), message)


# --- several messages in one file -----------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(a08() + a08(OTHER), id="in a row"),
        pytest.param(a08().replace(b"\r", b"\r\n") + b"\r\n" + a08(OTHER), id="blank line between"),
        pytest.param(b"\x0b" + a08() + b"\x1c\r\x0b" + a08(OTHER) + b"\x1c\r", id="framed"),
        pytest.param(a08() + b"\x1c" + a08(OTHER) + b"\x1c", id="FS left behind"),
        pytest.param(BHS + a08() + a08(OTHER) + b"BTS|2\r", id="batch"),
        pytest.param(BHS + a08() + a08(OTHER) + b"BTS\r", id="batch without a count"),
        pytest.param(FHS + BHS + a08() + b"BTS|1\r" + BHS + a08(OTHER) + b"BTS|1\rFTS|2\r",
                     id="file of two batches"),
        pytest.param(FHS + a08() + a08(OTHER) + b"FTS|1\r", id="file without batches"),
    ],
)  # fmt: skip
def test_each_message_is_a_part_of_its_own(content):
    found = whole(content)
    assert [batch.patient.value for batch in found] == ["0012345", "0067890"]
    assert [batch.format for batch in found] == ["hl7/ADT^A08"] * 2
    for batch in found:
        assert all(batch.account.values())
    for one in recognise(upload(content)).split(io.BytesIO(content)):
        part = part_of(upload(content), one)
        text = b"".join(content[span.start : span.end] for span in one.own)
        assert text.lstrip(b"\x0b").startswith(b"MSH")
        for run in part.runs:
            assert content[run.start :].startswith(run.content)


def test_parts_cover_the_file_and_know_their_rows():
    content = FHS + BHS + a08() + a08(OTHER) + b"BTS|2\rFTS|1\r"
    parts = list(recognise(upload(content)).split(io.BytesIO(content)))
    assert [part.own[0].row for part in parts] == [3, 7]
    covered = bytearray(len(content))
    for part in parts:
        for span in (*part.own, *part.shared):
            covered[span.start : span.end] = b"x" * (span.end - span.start)
    assert {content[i] for i, mark in enumerate(covered) if not mark} <= set(b"\r\n")


def test_positions_are_those_of_the_file():
    content = a08() + hl7("RDE^O11", OTHER, PV1, *RX)
    item = whole(content)[1].items[0]
    assert content[item.source.start : item.source.end].startswith(b"RXE|")


@pytest.mark.parametrize(
    ("content", "at"),
    [
        pytest.param(BHS + a08() + b"BTS|2\r", "row 6 BTS-1", id="batch count"),
        pytest.param(BHS + a08() + b"BTS|x\r", "row 6 BTS-1", id="no number"),
        pytest.param(FHS + BHS + a08() + b"BTS|1\rFTS|2\r", "row 8 FTS-1", id="file count"),
        pytest.param(BHS + a08() + a08(), "BTS", id="cut off in a batch"),
        pytest.param(FHS + BHS + a08() + b"BTS|1\r", "FTS", id="cut off behind a batch"),
        pytest.param(BHS + a08() + b"BTS|1\r" + a08(), "row 7", id="message outside"),
        pytest.param(FHS + a08() + b"FTS\r" + a08(), "row 7", id="after the end"),
        pytest.param(BHS + BHS + a08() + b"BTS\r", "row 2", id="batch in a batch"),
        pytest.param(a08() + BHS + a08() + b"BTS\r", "row 5", id="batch after messages"),
        pytest.param(a08() + FHS + b"FTS\r", "row 5", id="header after messages"),
        pytest.param(a08() + b"FTS\r", "row 5", id="trailer alone"),
        pytest.param(a08() + b"MSH|RO^^^^^L^A||19700101|M\r", "MSH-2", id="no header"),
        pytest.param(a08().replace(b"PV1", b"\x1c\rPV1") + a08(), "row 4", id="FS and a segment"),
        pytest.param(a08().replace(b"|O|", b"|\x0bO|") + a08(), "row 4", id="VT inside"),
        pytest.param(a08()[:-1] + b"\x1c\r" + a08(), "row 4", id="FS inside a segment"),
    ],
)  # fmt: skip
def test_a_file_whose_order_or_counts_are_wrong_is_refused_whole(content, at):
    """E-02: nothing of it is taken, and no second message is smuggled in."""
    (batch,) = whole(content)
    assert (batch.patient, batch.items) == (None, ())
    assert findings(batch) == [f"malformed {at}"]


def test_a_refused_message_does_not_stop_the_others():
    content = a08() + hl7("ORU^R01", PID, "OBR|1|1||x", OTHER) + hl7("ADT^Z99", PID) + a08(OTHER)
    found = whole(content)
    assert [batch.patient and batch.patient.value for batch in found] == [
        "0012345", None, None, "0067890",
    ]  # fmt: skip
    assert [findings(batch) for batch in found[1:3]] == [
        ["malformed PID[2]"], ["unsupported MSH-9"],
    ]  # fmt: skip


def test_a_line_that_only_begins_like_a_header_is_no_message():
    content = a08() + b"MSHX|1\r" + a08(OTHER)
    first, _ = whole(content)
    assert first.account["line[1]"] == "not-a-segment"


def test_many_messages_are_cut_in_bounded_memory():
    import tracemalloc

    class Endless(io.RawIOBase):
        """Twenty thousand times the same message, made as it is read."""

        def __init__(self) -> None:
            self.one, self.place, self.size = a08(), 0, len(a08()) * 20_000

        def readable(self):
            return True

        def seek(self, offset, whence=0):
            self.place = offset if not whence else self.size
            return self.place

        def read(self, count=-1):
            end = min(self.size, self.place + count)
            start = self.place % len(self.one)
            wanted = end - self.place
            self.place = end
            return (self.one * (wanted // len(self.one) + 2))[start : start + wanted]

    tracemalloc.start()
    count = sum(1 for _ in recognise(upload(a08() * 2)).split(Endless()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 16 * 1024 * 1024


def test_one_message_is_not_cut():
    assert recognise(upload(a08())).split is None
    assert recognise(upload(a08() + a08())).split is not None


def test_samples():
    batch = sample_batches("hl7/batch.hl7")
    assert [one.format for one in batch] == ["hl7/RDE^O11", "hl7/ADT^A60", "hl7/ORG^O20"]
    assert [len(one.items) for one in sample_batches("hl7/in-a-row.hl7")] == [1, 1]
    assert sample("hl7/batch.hl7").domain == Oid("2.999.30.1")
    with pytest.raises(Refusal):
        read(sample("hl7/batch.hl7"))

"""HL7 v2: the payload table, positions, escapes, framing, limits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Malformed, OverLimit, Refusal
from gateway.standardize import tables
from gateway.wire import hl7v2, hl7v2_check, hl7v2_field
from tests.shared import payloads

ADT = hl7v2_check.read_structures(tables.rows("structures"))["ADT_A01"]
ACCEPTED = {"ADT^A08"}

# id: None for accepted here, else what the acknowledgement says. 14 to 17 (whose identifiers),
# 22 (control id seen before), 23 (who is the client) are judged by rooms that know the sender.
EXPECTED = {
    "HL7-06": "HL7 AR 102",
    "HL7-07": "HL7 AR 102",
    "HL7-08": "HL7 AR 102",
    "HL7-09": "HL7 AR 100",
    "HL7-10": "HL7 AR 100",
    "HL7-11": "HL7 AR 100",
    "HL7-12": "HL7 AR 100",
    "HL7-13": "HL7 AE 102",
    "HL7-18": "HL7 AR 201",
    "HL7-19": "HL7 AR 201",
    "HL7-20": "HL7 AR 201",
    "HL7-21": "HL7 AR 101",
    "HL7-24": "HL7 AR 203",
    "HL7-25": "HL7 AR 201",
    "HL7-26": "HL7 AE 102",
    "HL7-27": "HL7 AE 102",
    "HL7-28": "HL7 AR 102",
    "HL7-29": "HL7 AE 102",
    "HL7-31": "HL7 AE 102",
    "HL7-32": "HL7 AE 102",
}


def content_of(row):
    if "payload_hex" in row:
        return bytes.fromhex(row["payload_hex"])
    text = row["payload"]
    if row["id"] == "HL7-26":
        text = text.replace("1~1", "1~" * 100_000 + "1", 1)
    if row["id"] == "HL7-32":
        text = text.replace("QUJD", "QUJD" * (11 * 1024 * 1024 // 4))
    return text.encode()


def judge(row):
    message = hl7v2.parse(content_of(row), framed=True, accepted=ACCEPTED)
    if row["id"] == "HL7-27":
        problems = hl7v2_check.check(message, ADT)
        hl7v2_check.demand(one for one in problems if one.at == "PID[1].7")
    return message


@pytest.mark.parametrize("row", payloads("gateway", "hl7v2.jsonl"))
def test_payload(row):
    if row["id"] in EXPECTED:
        with pytest.raises(Refusal) as caught:
            judge(row)
        assert caught.value.rule == EXPECTED[row["id"]]
    else:
        check_accepted(row["id"], judge(row))


def check_accepted(number, message):
    name = message.first("PID").components(5)
    if number == "HL7-02":
        assert message.first("PID").raw(7) == "F"
        assert name == ["YAMADA", "TA"]
    elif number == "HL7-03":
        assert name[1] == "T|A^R&O~X\\"
        assert hl7v2_field.escape(name[1]) == r"T\F\A\S\R\T\O\R\X\E" + "\\"
    elif number == "HL7-04":
        assert name[1] == r"T\X0D\ZZZ"
        assert hl7v2_field.escape(name[1]) == r"T\E\X0D\E\ZZZ"
        assert len(message.segments) == 2
    elif number == "HL7-05":
        assert message.first("OBX").value(5) == r"a\.br\b\H\c\N" + "\\"
    elif number == "HL7-30":
        assert name == ["淫沺棔", "X"]


HEADER = b"MSH|^~\\&|A|B|C|D|20260401120000||ADT^A08^ADT_A01|C1|P|2.5||||||~ISO IR87"


def message(*segments, header=HEADER, end=b"\r"):
    return end.join([header, *segments]) + end


def test_every_segment_knows_its_bytes():
    content = message("PID|1||7^^^^PI||\x1b$B;3\x1b(B^b".encode("latin-1"), b"OBX|1", b"OBX|2")
    for framing in (content, b"\x0b" + content + b"\x1c\r", content.replace(b"\r", b"\r\n")):
        found = hl7v2.parse(framing)
        assert [one.at for one in found] == ["MSH[1]", "PID[1]", "OBX[1]", "OBX[2]"]
        for one in found:
            assert framing[one.start : one.end].decode("iso2022_jp") == one.text


def test_a_line_that_is_no_segment_is_kept_as_one():
    found = hl7v2.parse(message(b"PID|1", b"ob|x", b"ZZ", b"MSH", b"OBX"))
    assert [one.at for one in found][2:] == ["line[1]", "line[2]", "MSH[2]", "OBX[1]"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        pytest.param(b"", "HL7 AR 100", id="nothing"),
        pytest.param(b"PID|1\r", "HL7 AR 100", id="no MSH"),
        pytest.param(b"MSH", "HL7 AR 102", id="MSH alone"),
        pytest.param(message(HEADER), "HL7 AR 100", id="two messages"),
        pytest.param(HEADER.replace(b"|P|", b"|X|"), "HL7 AR 202", id="processing id"),
        pytest.param(HEADER.replace(b"ADT^A08^ADT_A01", b""), "HL7 AR 200", id="no type"),
        pytest.param(HEADER.replace(b"20260401120000", b""), "HL7 AR 101", id="no time"),
        pytest.param(message(b"PID|1||a\x85"), "HL7 AE 102", id="8 bit under ISO IR87"),
        pytest.param(message(b"PID|\x1b$B;3|1"), "HL7 AE 102", id="escape open at the end"),
        pytest.param(b"MSH|^~^&|" + HEADER[9:], "HL7 AR 102", id="a delimiter twice"),
        pytest.param(b"MSH" + HEADER[3:].replace(b"|", b"a"), "HL7 AR 102", id="letter"),
    ],
)
def test_refused(content, rule):
    with pytest.raises(Refusal) as caught:
        hl7v2.parse(content)
    assert caught.value.rule == rule


def test_limits():
    with pytest.raises(OverLimit):
        hl7v2.parse(message(*[b"OBX|1"] * hl7v2.MOST_SEGMENTS))
    assert len(hl7v2.parse(message(*[b"OBX|1"] * (hl7v2.MOST_SEGMENTS - 1))).segments) == 10_000
    blank = message(b"PID|1") + b"\r\n" * (hl7v2.MOST_SEGMENTS - 2) + b"OBX|1"
    assert [one.name for one in hl7v2.parse(blank)] == ["MSH", "PID", "OBX"]
    with pytest.raises(OverLimit):
        hl7v2.parse(blank.replace(b"\n", b"\n\n"))
    with pytest.raises(OverLimit):
        hl7v2.parse(HEADER + b"x" * hl7v2.LONGEST_MESSAGE)
    hl7v2.parse(message(b"PID|" + b"~" * (hl7v2.MOST_REPETITIONS - 1)))
    hl7v2.parse(message(b"PID|" + b"~|" * hl7v2.MOST_REPETITIONS * 2))
    with pytest.raises(OverLimit):
        hl7v2.parse(message(b"PID|" + b"~" * (hl7v2.MOST_REPETITIONS + 1)))


@pytest.mark.parametrize(
    ("header", "body", "charset", "notes"),
    [
        pytest.param("~ISO IR87", "山".encode("iso2022_jp"), "ISO_2022_JP", set(), id="IR87"),
        pytest.param("~ISOIR87", "山".encode("iso2022_jp"), "ISO_2022_JP", set(), id="ISOIR87"),
        pytest.param("~ISO IR87", "山".encode(), "UTF_8", {"encoding-detected"}, id="a copy"),
        pytest.param("", "山".encode("cp932"), "SHIFT_JIS", {"encoding-detected"}, id="none"),
        pytest.param("SJIS", "山".encode("cp932"), "SHIFT_JIS", set(), id="Shift_JIS"),
        pytest.param("UNICODE UTF-8", "山".encode(), "UTF_8", set(), id="UTF-8"),
        pytest.param("EUC-JP", "山".encode("euc_jp"), "EUC_JP", set(), id="EUC-JP"),
        pytest.param("~ISO IR87", b"x", "ASCII", set(), id="nothing to decode"),
    ],
)
def test_character_sets(header, body, charset, notes):
    content = message(b"PID|" + body, header=HEADER.replace(b"~ISO IR87", header.encode()))
    found = hl7v2.parse(content)
    assert found.charset.name == charset
    assert found.notes == notes
    assert found.first("PID").raw(1) in ("山", "x")


def test_copies_with_a_yen_sign_for_the_escape():
    header = HEADER.decode().replace("\\", "¥").replace("~ISO IR87", "UNICODE UTF-8")
    found = hl7v2.parse(message("PID|a¥F¥b".encode(), header=header.encode()))
    assert found.first("PID").value(1) == "a|b"
    assert found.notes == {hl7v2.YEN_ESCAPE}


def test_fields_components_and_subcomponents():
    found = hl7v2.parse(message(rb'OBX|a^b\T\c&d~e^f|""|^||'))
    obx = found.first("OBX")
    assert obx.value(1) == "a"
    assert obx.repetitions(1) == [r"a^b\T\c&d", "e^f"]
    assert obx.components(1, 1) == ["e", "f"]
    assert obx.subcomponents(obx.repetitions(1)[0], 2) == ["b&c", "d"]
    assert obx.subcomponents("x", 4) == [""]
    assert obx.is_null(2)
    assert obx.value(2) == ""
    assert obx.value(3, 2) == obx.value(9) == obx.value(1, 9) == ""
    assert obx.repetitions(4) == obx.components(99) == []
    assert found.header.raw(1) == "|"
    assert found.header.raw(2) == "^~\\&"
    assert found.first("ZZZ") is None
    assert found.all("ZZZ") == []


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_a_value_written_and_read_is_the_same_and_never_a_structure(text):
    clean = "".join(c for c in text if c >= " " and c != "\x7f")
    written = hl7v2_field.escape(clean)
    assert not set("|^~&\r\n") & set(written)
    if clean != '""':
        assert hl7v2_field.unescape(written, "|^~\\&") == clean


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_refusal(tail):
    for content in (tail, HEADER + tail, message(b"PID|" + tail)):
        try:
            found = hl7v2.parse(content)
        except Refusal:
            continue
        for one in found:
            assert one.fields
            assert all(one.components(number) is not None for number in range(len(one.fields)))


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("2026", True),
        ("202604", True),
        ("20260401", True),
        ("2026040112", True),
        ("202604011230", True),
        ("20260401123059.1234+0900", True),
        ("20260230", False),
        ("00000000", False),
        ("2026040125", False),
        ("20260401120000.0000+9999", False),
        ("20260401120000.12345", False),
        ("2026-04-01", False),
        ("２０２６", False),
        ("", False),
        ("20000000", False),
        ("20000100", False),
        ("200000", False),
    ],
)
def test_is_time(text, is_one):
    assert hl7v2.is_time(text) is is_one


def test_refusals_name_no_value():
    with pytest.raises(Malformed) as caught:
        hl7v2.parse(message(b"PID|1||1234567^^^^PI||\x1b$B;3"))
    assert "1234567" not in str(caught.value) + caught.value.japanese
    assert caught.value.at == "PID[1]"

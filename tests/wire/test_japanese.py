"""Character sets: the payload table, and what the table does not say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Malformed
from gateway.wire import japanese
from gateway.wire.japanese import Charset
from tests.shared import payloads

# id: text, or None for refused. ENC-20 to 23 are XML and belong to the XML door; NUL, bidi and
# combining marks (27 to 31) are decoded here and judged where names and identifiers are made.
EXPECTED = {
    "ENC-01": "山田",
    "ENC-02": None,
    "ENC-03": None,
    "ENC-04": "¥‾",
    "ENC-05": "＜スク＞",
    "ENC-06": "<script>",
    "ENC-07": None,
    "ENC-08": None,
    "ENC-09": None,
    "ENC-10": "表",
    "ENC-11": "ポ",
    "ENC-12": None,
    "ENC-13": None,
    "ENC-14": None,
    "ENC-15": None,
    "ENC-16": None,
    "ENC-17": None,
    "ENC-18": None,
    "ENC-19": None,
    "ENC-24": "〜～",
    "ENC-25": "①髙",
    "ENC-26": "\ue000",
    "ENC-27": "山田\u202e郎",
    "ENC-28": "a\x00b",
    "ENC-29": "a\x85b",
    "ENC-30": "邊\U000e0101",
}


@pytest.mark.parametrize("row", payloads("gateway", "encodings.jsonl"))
def test_payload(row):
    charset = japanese.declared(row["declared"])
    content = bytes.fromhex(row["payload_hex"])
    if row["id"] in ("ENC-20", "ENC-21"):
        assert charset is None
    elif row["id"] in ("ENC-22", "ENC-23", "ENC-31"):
        assert charset is Charset.UTF_8
    elif EXPECTED[row["id"]] is None:
        with pytest.raises(Malformed):
            japanese.decode(content, charset, set())
    else:
        assert japanese.decode(content, charset, set()) == EXPECTED[row["id"]]


@pytest.mark.parametrize(
    ("content", "charset", "text", "notes"),
    [
        pytest.param(b"\x1b$B-!\x1b(B", Charset.ISO_2022_JP, "①", {japanese.VENDOR_CHARACTER}),
        pytest.param(b"\x1b(I1\x1b(B", Charset.ISO_2022_JP, "ｱ", {japanese.NONSTANDARD_ESCAPE}),
        pytest.param(b"\x1b$@;3\x1b(J", Charset.ISO_2022_JP, "山", {japanese.NONSTANDARD_ESCAPE}),
        pytest.param(b"\xf9\xfc", Charset.SHIFT_JIS, "\ue757", {japanese.USER_CHARACTER}),
        pytest.param("髙﨑".encode("cp932"), Charset.SHIFT_JIS, "髙﨑", set()),
        pytest.param("﨑".encode("euc_jp", "ignore") + b"a", Charset.EUC_JP, "a", set()),
        pytest.param("山".encode("utf-8-sig"), Charset.UTF_8, "山", set()),
    ],
    ids=["NEC row 13", "kana", "old escape, roman end", "last gaiji", "IBM", "EUC", "mark"],
)
def test_leniencies_are_noted(content, charset, text, notes):
    found = set()
    assert japanese.decode(content, charset, found) == text
    assert found == notes


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (b"\xf0\x7f", Charset.SHIFT_JIS),
        (b"\xf0", Charset.SHIFT_JIS),
        (b"\xfd", Charset.SHIFT_JIS),
        (b"\x80", Charset.SHIFT_JIS),
        (b"\xa0", Charset.SHIFT_JIS),
        (b"\x1b(I\xb1\x1b(B", Charset.ISO_2022_JP),
        (b"\x1b(I|\x1b(B", Charset.ISO_2022_JP),
        (b"\x1b$(D0!\x1b(B", Charset.ISO_2022_JP),
        (b"\x1bZ", Charset.ISO_2022_JP),
        ("山".encode(), Charset.ASCII),
        (b"a\x0eb", Charset.ASCII),
    ],
)
def test_refused(content, charset):
    with pytest.raises(Malformed):
        japanese.decode(content, charset, set())


@pytest.mark.parametrize(
    ("content", "charset"),
    [
        (b"abc", Charset.ASCII),
        (b"\x1b$B;3\x1b(B", Charset.ISO_2022_JP),
        ("山田".encode(), Charset.UTF_8),
        ("山田".encode("cp932"), Charset.SHIFT_JIS),
        ("山田".encode("euc_jp"), Charset.SHIFT_JIS),
    ],
    ids=["ascii", "escapes", "utf-8", "shift-jis", "EUC-JP is never guessed"],
)
def test_detect(content, charset):
    assert japanese.detect(content) is charset


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(list(Charset)))
def test_any_bytes_decode_or_are_refused(content, charset):
    try:
        text = japanese.decode(content, charset, set())
    except Malformed:
        return
    assert "\ufffd" not in text or "\ufffd".encode() in content


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="iso2022_jp", exclude_characters="\x1b"), max_size=30))
def test_what_the_codec_writes_is_read_back(text):
    plain = text.translate({0x0E: None, 0x0F: None, 0x1B: None, 0xA5: None, 0x203E: None})
    content = plain.encode("iso2022_jp")
    assert japanese.decode(content, Charset.ISO_2022_JP, set()) == plain


PIECES = st.sampled_from(
    [b"\x1b$B", b"\x1b(B", b"\x1b(J", b"\x1b(I", b"\x1b$@", b"\x1b$(D", b"\x1b", b"\x0e", b"A|1",
     b"^", b"$B", b"(B", b"0!", b'%"', b"-!", b"\x1b$B;3ED\x1b(B", b"\xe5\xb1\xb1", b"\x8eR", b" "]
)  # fmt: skip


@given(
    st.lists(st.lists(PIECES, min_size=1, max_size=6).map(b"".join), min_size=1, max_size=5),
    st.sampled_from(Charset),
    st.sampled_from([b"\r", b"\n", b"\r\n"]),
)
@settings(max_examples=2000, deadline=None)
def test_lines_decoded_at_once_are_those_decoded_one_by_one(lines, charset, end):
    text = japanese.decode_lines(end.join(lines), charset)
    if text is not None:
        notes: set[str] = set()
        assert text == end.decode().join(japanese.decode(one, charset, notes) for one in lines)
        assert not notes


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("PID|山田\rOBX|検査".encode("iso2022_jp"), id="kanji that each line closes"),
        pytest.param(b"PID|1\rOBX|2", id="ascii"),
    ],
)
def test_clean_lines_are_decoded_at_once(content):
    assert japanese.decode_lines(content, Charset.ISO_2022_JP) == content.decode("iso2022_jp")


def test_a_line_left_open_is_decoded_by_itself():
    assert japanese.decode_lines(b"PID|\x1b$B;3\rOBX|\x1b(B", Charset.ISO_2022_JP) is None

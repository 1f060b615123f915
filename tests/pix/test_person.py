"""The person part: names in their scripts, gender, addresses; out and in again."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Invalid, OverLimit
from gateway.model.identifiers import PatientId
from gateway.model.person import Address, Demographics, Gender, PersonName, Script, Telecom
from gateway.pix import person
from gateway.wire import hl7v3, xml
from tests.pix.messages import pid

V3 = 'xmlns="urn:hl7-org:v3"'


def read(content: str) -> Demographics:
    return person.read_person(xml.parse(f"<patientPerson {V3}>{content}</patientPerson>".encode()))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            '<name use="IDE"><family>山田</family><given>太郎</given></name>',
            PersonName("山田", "太郎", Script.KANJI), id="kanji",
        ),
        pytest.param(
            '<name use="SYL"><given>タロウ</given><family>ヤマダ</family></name>',
            PersonName("ヤマダ", "タロウ", Script.KANA), id="kana, given first",
        ),
        pytest.param(
            '<name use="L ABC"><family>Yamada</family></name>',
            PersonName("Yamada", "", Script.ROMAN), id="Roman among other uses",
        ),
        pytest.param(
            "<name><family>やまだ</family></name>", PersonName("やまだ", "", Script.KANA),
            id="hiragana without use",
        ),
        pytest.param(
            "<name><family>山田</family></name>", PersonName("山田", "", Script.KANJI),
            id="kanji without use",
        ),
        pytest.param(
            "<name><given>Mary</given><given>Rose</given><family>O'Hara</family></name>",
            PersonName("O'Hara", "Mary Rose", Script.ROMAN), id="two given names",
        ),
        pytest.param("<name>山　太</name>", PersonName("", "", Script.KANJI, "山 太"), id="text"),
        pytest.param(
            "<name><family>山<!-- x -->田</family></name>", PersonName("山田", "", Script.KANJI),
            id="the whole text (A-07)",
        ),
        pytest.param('<name nullFlavor="UNK"/>', None, id="null"),
        pytest.param("<name/>", None, id="empty"),
        pytest.param("<name><family> </family></name>", None, id="blank"),
    ],
)  # fmt: skip
def test_names(content: str, expected: PersonName | None) -> None:
    assert read(content).names == ((expected,) if expected else ())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('code="M"', Gender.MALE), ('code="F"', Gender.FEMALE), ('code="UN"', Gender.OTHER),
        ('code="O"', Gender.OTHER), ('code="U"', Gender.UNKNOWN), ('nullFlavor="UNK"', None),
        ('code="M" nullFlavor="NI"', None),
    ],
)  # fmt: skip
def test_gender(content: str, expected: Gender | None) -> None:
    assert read(f"<administrativeGenderCode {content}/>").gender is expected


@pytest.mark.parametrize("code", ["", "m", "X", "1", "M "])
def test_gender_that_is_refused(code: str) -> None:
    with pytest.raises(Invalid):
        read(f'<administrativeGenderCode code="{code}"/>')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('value="19800203"', date(1980, 2, 3)),
        ('value="198002031530"', date(1980, 2, 3)),
        ('value="19800203153000+0900"', date(1980, 2, 3)),
        ('value="20000229"', date(2000, 2, 29)),
        ('value="1980"', None),
        ('value="198002"', None),
        ('nullFlavor="UNK"', None),
        ("", None),
    ],
)
def test_dates(text: str, expected: date | None) -> None:
    assert read(f"<birthTime {text}/>").birth == expected


@pytest.mark.parametrize(
    "text", ["", "1", "19801", "19800230", "19801301", "00000101", "1980-02-03", "１９８００２０３",
             "昭和55年2月3日", "198002033"[:3]],
)  # fmt: skip
def test_dates_that_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read(f'<birthTime value="{text}"/>')


def test_addresses_telecoms_and_the_rest() -> None:
    found = read(
        '<telecom value="tel:1" use="HP"/><telecom nullFlavor="UNK"/><telecom/>'
        '<deceasedInd value="true"/><addr use="H"><country>JP</country><state>東京都</state>'
        "<city>見本市</city><postalCode>100</postalCode><streetAddressLine>1</streetAddressLine>"
        "<streetAddressLine>2</streetAddressLine></addr><addr>東京都見本市</addr><addr/>"
        '<addr nullFlavor="NI"/>'
    )
    assert found.telecoms == (Telecom("tel:1", "HP"),)
    assert found.deceased
    assert found.addresses[:2] == (
        Address(
            state="東京都", city="見本市", postal_code="100", line="1 2", country="JP", use="H"
        ),
        Address(text="東京都見本市"),
    )
    assert not read('<deceasedInd value="false"/>').deceased


def other(class_code: str, content: str) -> str:
    return f'<asOtherIDs classCode="{class_code}">{content}</asOtherIDs>'


def test_other_identifiers_are_attributes() -> None:
    found = read(
        other("PAT", '<id root="2.999.1" extension="1"/>')
        + other("CIT", '<id root="2.999.2" extension="2"/>')
        + other("PAT", '<id nullFlavor="NA"/>')
    )
    assert found.other_ids == (pid("1", "2.999.1"),)
    with pytest.raises(Invalid):
        read(other("PAT", '<id root="2.999.1" extension=" "/>'))


@pytest.mark.parametrize("content", ["<name>a</name>", "<addr>a</addr>", '<telecom value="a"/>'])
def test_repetitions_have_a_limit(content: str) -> None:
    assert read(content * 100)
    with pytest.raises(OverLimit):
        read(content * 101)


def test_invisible_characters_in_names_are_shown() -> None:
    """F-06."""
    found = read("<name><family>山\u200b田</family><given>\u202e太郎</given></name>")
    assert found.names[0].full == "山[U+200B]田 [U+202E]太郎"
    with pytest.raises(Invalid):
        read(f"<name><family>か{chr(0x3099) * 9}</family></name>")


@pytest.mark.parametrize(
    ("telecom", "written"),
    [
        (Telecom("03-5555-0101", "H"), '<telecom value="tel:03-5555-0101" use="H"/>'),
        (Telecom("03 5555 0101", "自宅"), '<telecom value="tel:03-5555-0101"/>'),
        (Telecom("mailto:a@b.example", "WP odd"), '<telecom value="mailto:a@b.example" use="WP"/>'),
        (Telecom("内線 42", ""), ""),
        (Telecom("tel:<42>", ""), ""),
    ],
)
def test_telecoms_leave_as_uris(telecom: Telecom, written: str) -> None:
    assert person._write_telecom(telecom) == written


@pytest.mark.parametrize(
    "content",
    [f"<name>{'山' * 201}</name>", f"<name><family>{'山' * 201}</family></name>",
     f"<addr>{'山' * 4001}</addr>"],
)  # fmt: skip
def test_long_texts_are_refused(content: str) -> None:
    with pytest.raises(OverLimit):
        read(content)


WORD = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20
)
NAMES = st.builds(PersonName, WORD, st.one_of(st.just(""), WORD), st.sampled_from(Script))


@given(
    st.builds(
        Demographics,
        names=st.tuples(NAMES),
        birth=st.one_of(st.none(), st.dates()),
        gender=st.sampled_from([None, Gender.MALE, Gender.FEMALE, Gender.OTHER]),
        addresses=st.tuples(
            st.builds(Address, state=WORD, line=WORD, use=st.sampled_from(["", "H", "WP"]))
        ),
        telecoms=st.tuples(st.builds(Telecom, st.just("tel:+81-3"), st.sampled_from(["", "HP"]))),
        other_ids=st.tuples(st.just(PatientId(pid("x").domain, "<&'\">"))),
    )
)
def test_what_is_written_is_read_again(who: Demographics) -> None:
    written = person.write_person(who, who.other_ids)
    root = xml.parse(written.replace("<patientPerson ", f"<patientPerson {V3} ", 1).encode())
    again = person.read_person(root)
    roman = [name for name in who.names if name.script is Script.ROMAN]
    if not roman:  # a Roman name is written without `use`, and its letters say what it is
        assert again == who
    assert (again.birth, again.gender, again.other_ids) == (who.birth, who.gender, who.other_ids)
    assert hl7v3.NAMESPACE in root.tag

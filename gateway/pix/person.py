"""The person part that the PRPA messages share: names, birth, gender, addresses, other ids.

HL7 v3 data types PN, AD, TEL; ITI TF-2: 3.44.4.1.2, 3.55.4.1.2 and 3.55.4.2.2.
"""

import re
from collections.abc import Collection, Iterable

from lxml import etree

from gateway.errors import Invalid, OverLimit
from gateway.model.identifiers import PatientId
from gateway.model.person import Address, Demographics, Gender, PersonName, Script, Telecom
from gateway.wire import hl7v3, xml
from gateway.wire.hl7v3 import tag
from gateway.wire.xml import EMPTY, Fragment, Template

_MOST = 100
"Repetitions of one part of a person (A-09)."

_NAME, _ADDR, _TELECOM = tag("name"), tag("addr"), tag("telecom")
_GENDER, _BIRTH, _DECEASED = tag("administrativeGenderCode"), tag("birthTime"), tag("deceasedInd")
_OTHER, _ID = tag("asOtherIDs"), tag("id")
_NEVER_OTHER = frozenset({"CIT", "EMP"})
"Role classes that are no identifiers of a patient (ITI TF-2: Table 3.44.4.1.2-1)."

_GENDERS = {
    "M": Gender.MALE,
    "F": Gender.FEMALE,
    "UN": Gender.OTHER,
    "O": Gender.OTHER,
    "U": Gender.UNKNOWN,
    "UNK": Gender.UNKNOWN,
}
"HL7 v3 AdministrativeGender, and the v2 letters that real senders use for it (FN-310)."

_MARKS = re.compile("[\u0300-\u036f\u3099\u309a]{9}")
_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffd\U000e0000-\U000e007f]"
)
_KANA = re.compile(r"[\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f\s\u3000・ー－-]+")
_ROMAN = re.compile(r"[\x20-\x7e\u00a0-\u024f]+")


def read_person(person: etree._Element) -> Demographics:
    """What `patientPerson` says; whatever is absent or null stays empty."""
    gender, birth = person.find(_GENDER), person.find(_BIRTH)
    deceased = person.find(_DECEASED)
    return Demographics(
        names=read_names(_some(person, _NAME)),
        birth=None if birth is None else hl7v3.read_date(birth),
        gender=None if gender is None else read_gender(gender),
        addresses=tuple(map(_address, filled(_some(person, _ADDR)))),
        telecoms=tuple(
            Telecom(element.get("value", ""), element.get("use", ""))
            for element in filled(_some(person, _TELECOM))
            if element.get("value")
        ),
        other_ids=_other_ids(person),
        deceased=deceased is not None and deceased.get("value") == "true",
    )


def _some(person: etree._Element, name: str) -> list[etree._Element]:
    """Repetitions of one part, within the limit (A-09)."""
    found = person.findall(name)
    if len(found) > _MOST:
        raise OverLimit("too many repetitions", "繰り返しが多すぎます", rule="A-09", log="LIMIT")
    return found


def filled(elements: Iterable[etree._Element]) -> list[etree._Element]:
    """Those that are not null."""
    return [element for element in elements if not hl7v3.is_null(element)]


def _other_ids(person: etree._Element) -> tuple[PatientId, ...]:
    """Identifiers of other domains: attributes of the person, never links (FN-205)."""
    return tuple(
        hl7v3.read_ii(element)
        for role in _some(person, _OTHER)
        if role.get("classCode") not in _NEVER_OTHER
        for element in filled(_some(role, _ID))
    )


def read_names(elements: Iterable[etree._Element]) -> tuple[PersonName, ...]:
    """Names that say something, each in its script."""
    return tuple(name for element in filled(elements) if (name := _name(element)) is not None)


def _name(element: etree._Element) -> PersonName | None:
    """A person name (PN): its parts, or its text where the parts are not known apart."""
    family = _visible(element, _parts(element, "family"))
    given = _visible(element, _parts(element, "given"))
    whole = "" if family or given else " ".join(xml.whole_text(element).split())
    text = _visible(element, whole)
    if not (family or given or text):
        return None
    return PersonName(family, given, _script(element, family + given + text), text)


def _visible(element: etree._Element, text: str) -> str:
    """A name whose invisible characters are shown as code points; a flood is refused (F-06)."""
    if text.isascii() and text.isprintable():
        return text
    if _MARKS.search(text):
        raise Invalid("too many combining marks", "結合文字が多すぎます", at=xml.location(element))
    return _INVISIBLE.sub(lambda found: f"[U+{ord(found.group()):04X}]", text)


def _parts(element: etree._Element, name: str) -> str:
    """The parts of one kind, in their order, with one space between."""
    texts = (" ".join(xml.whole_text(part).split()) for part in element.findall(tag(name)))
    return " ".join(text for text in texts if text)


def _script(element: etree._Element, text: str) -> Script:
    """The script as `use` says it, else as the letters show."""
    uses = element.get("use", "").split()
    for script in Script:
        if script.value in uses:
            return script
    if _ROMAN.fullmatch(text):
        return Script.ROMAN
    return Script.KANA if _KANA.fullmatch(text) else Script.KANJI


def read_gender(element: etree._Element) -> Gender | None:
    """Administrative gender; an unknown code is refused, a null flavour says nothing."""
    code = element.get("code")
    if code is None or hl7v3.is_null(element):
        return None
    gender = _GENDERS.get(code)
    if gender is None:
        raise Invalid("gender code not known", "性別コードが不明です", at=xml.location(element))
    return gender


def _address(element: etree._Element) -> Address:
    """A postal address (AD): its parts, or its text where it has none."""
    parts = {
        name: _parts(element, name)
        for name in ("postalCode", "state", "city", "streetAddressLine", "country")
    }
    text = "" if any(parts.values()) else " ".join(xml.whole_text(element).split())
    return Address(
        text=text,
        postal_code=parts["postalCode"],
        state=parts["state"],
        city=parts["city"],
        line=parts["streetAddressLine"],
        country=parts["country"],
        use=element.get("use", ""),
    )


_PLACES = frozenset({"H", "HP", "HV", "WP", "DIR", "PUB", "BAD", "TMP"})
_ADDRESS_USES = _PLACES | {"PHYS", "PST"}
_TELECOM_USES = _PLACES | {"AS", "EC", "PG", "MC"}
"What the published schemas know; a source may have said others."
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9+()_.,;=@/?&~-]+")
_NUMBER = re.compile(r"[0-9+() -]+")

_PERSON = Template(
    """<patientPerson classCode="PSN" determinerCode="INSTANCE">{names}{telecoms}{gender}{birth}
    {addresses}{other_ids}</patientPerson>"""
)
_NO_NAME = Fragment('<name nullFlavor="NA"/>')
_NAME_OUT = Template("<name{use}>{family}{given}{text}</name>")
_USE_OUT = Template(' use="{use}"')
_PART_OUT = {
    name: Template(f"<{name}>{{text}}</{name}>")
    for name in (
        "family", "given", "country", "state", "city", "postalCode", "streetAddressLine",
    )
}  # fmt: skip
_TELECOM_OUT = Template('<telecom value="{value}"{use}/>')
_GENDER_OUT = Template(
    '<administrativeGenderCode code="{code}" codeSystem="2.16.840.1.113883.5.1"/>'
)
_GENDER_NULL = Fragment('<administrativeGenderCode nullFlavor="UNK"/>')
_BIRTH_OUT = Template('<birthTime value="{value}"/>')
_ADDR_OUT = Template("<addr{use}>{parts}</addr>")
_OTHER_OUT = Template(
    """<asOtherIDs classCode="PAT">{id}<scopingOrganization classCode="ORG"
      determinerCode="INSTANCE"><id root="{domain}"/></scopingOrganization></asOtherIDs>"""
)


def write_person(person: Demographics, other_ids: Iterable[PatientId]) -> Fragment:
    """`patientPerson` with one name at least: without any, the name's null flavour is NA."""
    names = xml.join(map(_write_name, person.names))
    return _PERSON.fill(
        names=names or _NO_NAME,
        telecoms=xml.join(map(_write_telecom, person.telecoms)),
        gender=_write_gender(person.gender),
        birth=_BIRTH_OUT.fill(value=hl7v3.write_date(person.birth)) if person.birth else EMPTY,
        addresses=xml.join(map(_write_address, person.addresses)),
        other_ids=xml.join(
            _OTHER_OUT.fill(id=hl7v3.write_patient_id(patient), domain=patient.domain)
            for patient in other_ids
        ),
    )


def _write_name(name: PersonName) -> Fragment:
    """One name; its script is said where it is Japanese (IDE, SYL)."""
    return _NAME_OUT.fill(
        use=EMPTY if name.script is Script.ROMAN else _USE_OUT.fill(use=name.script.value),
        family=_write_part("family", name.family),
        given=_write_part("given", name.given),
        text=EMPTY if name.family or name.given else name.text,
    )


def _write_use(use: str, known: Collection[str]) -> Fragment:
    """The uses that HL7 v3 knows, if there are any."""
    words = " ".join(word for word in use.split() if word in known)
    return _USE_OUT.fill(use=words) if words else EMPTY


def _write_telecom(telecom: Telecom) -> Fragment:
    """A telephone number or address as a URI (TEL); what cannot be one is left out."""
    value = telecom.value
    if _NUMBER.fullmatch(value):
        value = "tel:" + value.replace(" ", "-")
    if not _URI.fullmatch(value):
        return EMPTY
    return _TELECOM_OUT.fill(value=value, use=_write_use(telecom.use, _TELECOM_USES))


def _write_part(name: str, text: str) -> Fragment:
    return _PART_OUT[name].fill(text=text) if text else EMPTY


def _write_gender(gender: Gender | None) -> Fragment:
    if gender is None:
        return EMPTY
    if gender is Gender.UNKNOWN:
        return _GENDER_NULL
    return _GENDER_OUT.fill(code=gender.value)


def _write_address(address: Address) -> Fragment:
    """One address; as free text where its parts are not known apart."""
    parts = xml.join(
        _write_part(name, text)
        for name, text in (
            ("country", address.country),
            ("state", address.state),
            ("city", address.city),
            ("postalCode", address.postal_code),
            ("streetAddressLine", address.line),
        )
    )
    shown = parts or Fragment(xml.escape(address.text))
    return _ADDR_OUT.fill(use=_write_use(address.use, _ADDRESS_USES), parts=shown)

"""People and institutions as HL7 v2 segments say them: PID, NK1, XPN, XAD, XTN, XCN, XON, ORC.

Names stay as they were sent, kanji and kana apart (XPN.8); nothing is folded (`security.md` F-08).
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from gateway.errors import Malformed, NotOwner
from gateway.model.batch import Resource
from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import Address, Demographics, Gender, PersonName, Script, Telecom
from gateway.standardize import codes, dates
from gateway.standardize.format import Upload
from gateway.standardize.message import MessageReading
from gateway.standardize.names import safe_identifier
from gateway.standardize.reading import Reading, stated_domain
from gateway.wire import fhir, hl7v2_field, memo
from gateway.wire.hl7v2 import Segment

PID = frozenset({1, 3, 5, 7, 8, 11, 13, 14, 33})
NK1 = frozenset({1, 2, 3, 4, 5, 6, 8, 9, 13, 15})
ORC: frozenset[int] = frozenset({1, 2, 3, 4, 9, 10, 12, 17, 21, 22, 23, 29})
"Fields that the mappings take."

_SCRIPTS = {"I": Script.KANJI, "P": Script.KANA, "A": Script.ROMAN}
_GENDERS = {
    "M": Gender.MALE,
    "F": Gender.FEMALE,
    "O": Gender.OTHER,
    "A": Gender.OTHER,
    "U": Gender.UNKNOWN,
    "N": Gender.UNKNOWN,
}
_KANA = re.compile("[\u30a0-\u30ff\uff66-\uff9f\u3040-\u309f\\s]+")
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffc\x80-\x9f]"
    "|[\U000e0000-\U000e007f]"
)
_MARKS = re.compile("[\u0300-\u036f\u3099\u309a]{9}")
_INSTITUTION = re.compile(r"[0-4][0-9][1-7][0-9]{7}")
_TELECOM_USES = {"PRN": "H", "ORN": "H", "WPN": "WP", "PRS": "MC"}
_PHYSICAL_TYPE = "http://terminology.hl7.org/CodeSystem/location-physical-type"


def patient_of(upload: Upload, pid: Segment | None) -> PatientId | None:
    """The chart id of PID-3 in its facility's domain; None where PID-3 is empty.

    An assigning authority that is stated and is not the facility's refuses the whole message
    (G-01, HL7-14 to HL7-17): nobody feeds another facility's identifiers.
    """
    found: PatientId | None = None
    for repetition in pid.repetitions(3) if pid else ():
        assert pid is not None  # noqa: S101
        parts = pid.split(repetition)
        value = parts[0] if parts else ""
        if not value:
            continue
        authority = pid.subcomponents(repetition, 4)[1:2]
        stated = Oid(authority[0]) if authority and authority[0] else None
        allowed = upload.domain or (found.domain if found else None)
        if stated and allowed and stated != allowed:
            raise NotOwner(
                "identifier of another assigning authority",
                "他機関が発番した患者IDです",
                at="PID-3",
                rule="HL7 AE 204",
                log="AUTH-SPOOF",
            )
        if found is None:
            found = _patient_id(stated or stated_domain(upload), value)
    return found


def _patient_id(domain: Oid, value: str) -> PatientId:
    try:
        return PatientId(domain, safe_identifier(value))
    except Malformed as refusal:
        raise Malformed(
            refusal.english, refusal.japanese, at="PID-3", rule="HL7 AE 102"
        ) from refusal


def describe(reading: MessageReading, pid: Segment, contacts: Sequence[Segment] = ()) -> None:
    """Read PID, and NK1 where there is one, into the batch's description of the patient."""
    if reading.clash:
        reading.leave_all("pid-clash", (pid, *contacts))
        return
    reading.take(pid, PID)
    demographics = demographics_of(reading, pid)
    reading.demographics = demographics
    resource = fhir.patient_resource(demographics, [reading.patient])
    people = [_contact(reading, segment) for segment in contacts]
    if any(people):
        resource["contact"] = [person for person in people if person]
    reading.patient_resource = resource


def demographics_of(reading: MessageReading, pid: Segment) -> Demographics:
    """What PID says about the patient."""
    born = pid.value(7)
    birth = dates.birth(born)
    if born and birth is None:
        reading.find("bad-date", f"{pid.at}.7")
    return Demographics(
        names=names_of(reading, pid, 5),
        birth=birth,
        gender=_GENDERS.get(pid.value(8)),
        addresses=addresses_of(pid, 11),
        telecoms=telecoms_of(pid, 13, "H") + telecoms_of(pid, 14, "WP"),
    )


def names_of(reading: MessageReading, segment: Segment, field: int) -> tuple[PersonName, ...]:
    """XPN repetitions: family, given, and the script of XPN.8."""
    show = partial(visible, reading, f"{segment.at}.{field}")
    names = (
        _name(repetition, segment.delimiters, offset=0, show=show)
        for repetition in segment.repetitions(field)
    )
    return tuple(name for name in names if name)


def _name(
    repetition: str, delimiters: str, *, offset: int, show: Callable[[str], str]
) -> PersonName | None:
    """One name; a name in one component is kept as text, because nobody knows where it divides.

    `show` gives each part as it may be shown.
    """
    padded = [*hl7v2_field.components(repetition, delimiters), *[""] * 16]
    family = hl7v2_field.subcomponents(repetition, offset + 1, delimiters)[0]
    given = padded[offset + 1]
    if not family and not given:
        return None
    family, given = show(family), show(given)
    script = _SCRIPTS.get(padded[14] if offset else padded[7]) or script_of(family + given)
    if not given:
        return PersonName("", "", script, text=family)
    return PersonName(family, given, script)


def script_of(text: str) -> Script:
    """The script that a name is written in, where the sender does not say."""
    if text.isascii():
        return Script.ROMAN
    return Script.KANA if _KANA.fullmatch(text) else Script.KANJI


@memo.by_text(4096)
def is_odd(text: str) -> bool:
    """Whether :func:`visible` would change or refuse a text."""
    return bool(_MARKS.search(text) or _INVISIBLE.search(text))


def visible(reading: Reading, at: str, text: str) -> str:
    """A name whose invisible characters are shown as code points (F-06); a flood is refused."""
    if text.isascii() or not is_odd(text):
        return text
    if _MARKS.search(text):
        raise Malformed("too many combining marks", "結合文字が多すぎます", at=at, rule="F-06")
    reading.find("invisible-character", at)
    return _INVISIBLE.sub(lambda found: f"[U+{ord(found.group()):04X}]", text)


def addresses_of(segment: Segment, field: int) -> tuple[Address, ...]:
    """XAD repetitions; Japanese senders put the whole address into component 8."""
    found = []
    for repetition in segment.repetitions(field):
        _, other, city, state, postal, country, kind, whole = (
            segment.split(repetition) + [""] * 8
        )[:8]
        text = whole or "".join((state, city, segment.subcomponents(repetition, 1)[0], other))
        if text or postal:
            use = {"H": "H", "B": "WP", "O": "WP"}.get(kind, "")
            found.append(Address(text=text, postal_code=postal, country=country, use=use))
    return tuple(found)


def telecoms_of(segment: Segment, field: int, use: str = "") -> tuple[Telecom, ...]:
    """XTN repetitions: component 12, or 1 of older senders; 4 is an address on the internet."""
    found = []
    for repetition in segment.repetitions(field):
        parts = segment.split(repetition) + [""] * 12
        value = parts[11] or parts[0] or "".join(parts[5:7])
        kind = _TELECOM_USES.get(parts[1], use if not parts[1] else "")
        if parts[3] and not value:
            value = f"mailto:{parts[3]}"
        elif parts[2] == "FX":
            value = f"fax:{value}"
        elif parts[2] == "CP":
            kind = "MC"
        if value and value != "fax:":
            found.append(Telecom(value, kind))
    return tuple(found)


def _contact(reading: MessageReading, segment: Segment) -> dict[str, Any]:
    """NK1 as Patient.contact: one name and one address of it, some way to reach it (pat-1)."""
    if not any(segment.fields[1:]):
        return {}
    reading.take(segment, NK1)
    made: dict[str, Any] = {}
    relation = reading.concept(segment, 3, wanted=False)
    if relation:
        made["relationship"] = [relation]
    names = names_of(reading, segment, 2)
    if names:
        made["name"] = fhir.human_name(names[0])
    telecoms = telecoms_of(segment, 5, "H") + telecoms_of(segment, 6, "WP")
    if telecoms:
        made["telecom"] = [fhir.contact_point(telecom) for telecom in telecoms]
    places = addresses_of(segment, 4)
    if places:
        made["address"] = fhir.address(places[0])
    if segment.value(13):
        made["organization"] = {"display": segment.value(13)}
    gender = _GENDERS.get(segment.value(15))
    if gender:
        made["gender"] = gender.fhir
    during = {
        name: day
        for name, field in (("start", 8), ("end", 9))
        if segment.raw(field) and (day := reading.time(segment, field))
    }
    if during:
        made["period"] = during
    for field, found in ((2, names), (4, places)):
        if len(found) > 1:
            reading.find("unmapped-field", f"{segment.at}.{field}")
    if not made.keys() & {"name", "telecom", "address", "organization"}:
        reading.leave(segment, "field-missing")
        return {}
    return made


def staff(
    reading: MessageReading, segment: Segment, field: int, *, doctor: bool = False
) -> Resource | None:
    """XCN as a Practitioner, known by the staff number that the facility gave out.

    `doctor` says that only doctors stand in this field.
    """
    field_as_sent = segment.raw(field)
    if not field_as_sent:
        return None
    if segment.delimiters[2] in field_as_sent and _names_others(field_as_sent, segment.delimiters):
        reading.find("unmapped-field", f"{segment.at}.{field}")
    if len(field_as_sent) <= memo.LONGEST and not is_odd(field_as_sent):
        return _known_staff(field_as_sent, segment.delimiters, reading.domain, doctor)
    show = partial(visible, reading, f"{segment.at}.{field}")
    return reading.once(
        ("doctor" if doctor else "staff", field_as_sent),
        lambda: _staff(field_as_sent, segment.delimiters, reading.domain, doctor, show),
    )


def _own(field: str, delimiters: str) -> tuple[list[str], bool]:
    """The repetitions of XCN about its first person, and whether there are any about another.

    One person's names in two scripts are two repetitions, of which the second may lack the number.
    """
    stated = [(hl7v2_field.components(one, delimiters)[0], one)
              for one in field.split(delimiters[2])]  # fmt: skip
    number = next((number for number, _ in stated if number), "")
    own = [one for other, one in stated if other in ("", number)]
    return own, len(own) < len(stated)


@memo.by_texts(4096)
def _names_others(field: str, delimiters: str) -> bool:
    return _own(field, delimiters)[1]


@lru_cache(maxsize=4096)
def _known_staff(field: str, delimiters: str, domain: str, doctor: bool) -> Resource | None:
    """A facility's staff are in all its messages: made once, so nobody changes the inside."""
    return _staff(field, delimiters, domain, doctor, str)


def _staff(
    field: str, delimiters: str, domain: str, doctor: bool, show: Callable[[str], str]
) -> Resource | None:
    repetitions, _ = _own(field, delimiters)
    names = [_name(one, delimiters, offset=1, show=show) for one in repetitions]
    found = tuple(name for name in names if name)
    number = next(
        (parts[0] for one in repetitions if (parts := hl7v2_field.components(one, delimiters))[0]),
        "",
    )
    if not found and not number:
        return None
    system = codes.local_identifiers(domain, "staff")
    scope = domain
    if doctor:
        # The national numbers of doctors are not the facility's numbers of its staff.
        national = codes.doctor_identifiers(domain)
        scope, system = (national, national) if national else (scope, system)
    identity = fhir.resource_id("Practitioner", scope, number, "" if number else found[0].full)
    return fhir.practitioner(identity, found, system=system, number=number)


def institution(reading: MessageReading, orc: Segment) -> Resource | None:
    """ORC-21 to ORC-23 as an Organization; XON-10 or 3 may be its number of ten digits."""
    return _institution(orc.raw(21), orc.raw(22), orc.raw(23), orc.delimiters, reading.domain)


@memo.by_texts(1024)
def _institution(
    organization: str, address: str, phone: str, delimiters: str, domain: str
) -> Resource | None:
    """A facility's own name is in all its messages: made once, so nobody changes the inside."""
    fields = ("ORC", *[""] * 20, organization, address, phone)
    orc = Segment("ORC", 1, delimiters[0].join(fields), 0, 0, delimiters)
    name = orc.value(21)
    if not name:
        return None
    number = next(
        (one for place in (10, 3) if _INSTITUTION.fullmatch(one := orc.value(21, place))), ""
    )
    return fhir.organization(
        fhir.resource_id("Organization", domain, number or name),
        name,
        prefecture=number[:2],
        fee_table=number[2:3],
        number=number[3:],
        addresses=addresses_of(orc, 22),
        telecoms=telecoms_of(orc, 23),
    )


def orderer(
    reading: MessageReading, orc: Segment, obr: Segment | None = None
) -> tuple[dict[str, Any] | None, tuple[Resource, ...]]:
    """Who ordered, where: a reference and what it leads to (ORC-12, 17, 21 to 23).

    OBR-16 says the same as ORC-12, and is read where that is empty.
    """
    doctor = (orc, 12) if orc.raw(12) or obr is None else (obr, 16)
    fields = ("orderer", doctor[0].raw(doctor[1]), *(orc.raw(one) for one in (17, 21, 22, 23)))
    return reading.once(fields, lambda: _orderer(reading, orc, *doctor))


def _orderer(
    reading: MessageReading, orc: Segment, segment: Segment, field: int
) -> tuple[dict[str, Any] | None, tuple[Resource, ...]]:
    doctor = staff(reading, segment, field, doctor=True)
    place = institution(reading, orc)
    department = reading.concept(orc, 17, wanted=False)
    if doctor and not place and not department:
        return fhir.reference(doctor["id"]), (doctor,)
    if not doctor and not department:
        return (fhir.reference(place["id"]), (place,)) if place else (None, ())
    parts = tuple(one for one in (doctor, place) if one)
    role = fhir.resource(
        "PractitionerRole",
        "JP_PractitionerRole",
        fhir.resource_id(
            "PractitionerRole", *(one["id"] for one in parts), orc.raw(17), reading.domain
        ),
    )
    if doctor:
        role["practitioner"] = fhir.reference(doctor["id"])
    if place:
        role["organization"] = fhir.reference(place["id"])
    if department:
        role["specialty"] = [department]
    return fhir.reference(role["id"]), (role, *parts)


def location(reading: MessageReading, segment: Segment, field: int) -> Resource | None:
    """PL as a JP_Location: ward, room and bed as the facility numbers them."""
    return _location(segment.first(field), segment.delimiters, reading.domain)


@memo.by_texts(4096)
def _location(field: str, delimiters: str, domain: str) -> Resource | None:
    """A facility's places are in all its messages: made once, so nobody changes the inside."""
    parts = [*hl7v2_field.components(field, delimiters), "", "", "", "", "", ""]
    levels = [part for part in parts[:3] if part]
    if not levels:
        return None
    name = "-".join(levels)
    made = fhir.resource(
        "Location", "JP_Location", fhir.resource_id("Location", domain, name, parts[5])
    )
    system = codes.local_identifiers(domain, "location")
    made["identifier"] = [fhir.identifier(system, name)]
    made["name"] = name
    made["mode"] = "instance"
    kind = ("wa", "Ward") if len(levels) == 1 else ("ro", "Room")
    kind = ("bd", "Bed") if len(levels) == 3 else kind
    if parts[5] != "C":
        made["physicalType"] = fhir.concept(fhir.coding(kind[0], _PHYSICAL_TYPE, kind[1]))
    return made

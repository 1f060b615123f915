"""Demographics as JSON for the store, and back."""

from datetime import UTC, date, datetime
from typing import Any

from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import Address, Demographics, Gender, PersonName, Script, Telecom


def write(demographics: Demographics, at: datetime | None = None) -> dict[str, Any]:
    """The statement as plain JSON; `at` is when its source wrote it."""
    return {
        "at": at.astimezone(UTC).isoformat(timespec="microseconds") if at else "",
        "names": [[n.family, n.given, n.script.value, n.text] for n in demographics.names],
        "birth": demographics.birth.isoformat() if demographics.birth else "",
        "gender": demographics.gender.value if demographics.gender else "",
        "addresses": [
            [a.text, a.postal_code, a.state, a.city, a.line, a.country, a.use]
            for a in demographics.addresses
        ],
        "telecoms": [[t.value, t.use] for t in demographics.telecoms],
        "other_ids": [[i.domain, i.value] for i in demographics.other_ids],
        "insured_number": demographics.insured_number,
        "deceased": demographics.deceased,
    }


def read(content: dict[str, Any]) -> Demographics:
    """The statement that `write` wrote."""
    return Demographics(
        names=tuple(
            PersonName(family, given, Script(script), text)
            for family, given, script, text in content["names"]
        ),
        birth=date.fromisoformat(content["birth"]) if content["birth"] else None,
        gender=Gender(content["gender"]) if content["gender"] else None,
        addresses=tuple(
            Address(text=t, postal_code=p, state=s, city=c, line=li, country=co, use=u)
            for t, p, s, c, li, co, u in content["addresses"]
        ),
        telecoms=tuple(Telecom(value, use) for value, use in content["telecoms"]),
        other_ids=tuple(PatientId(Oid(domain), value) for domain, value in content["other_ids"]),
        insured_number=content["insured_number"],
        deceased=content["deceased"],
    )


def says_the_same(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether two statements say the same, whenever they were written."""
    return {**before, "at": ""} == {**after, "at": ""}


def is_newer(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the first was written after the second, where both say when (E-05)."""
    return bool(before.get("at") and after["at"]) and before["at"] > after["at"]

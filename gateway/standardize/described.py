"""People whom a file only describes: a name in one piece, and a number where it gives none."""

import hashlib
from collections.abc import Iterable

from gateway.model.identifiers import Oid, PatientId
from gateway.model.person import PersonName, Script


def patient_of(domain: Oid, prefix: str, said: Iterable[str]) -> PatientId:
    """A number made of everything a file says about a person who has none in it.

    Two files that describe a person differently stay two people until somebody links them: a wrong
    split can be mended, a wrong merge cannot. `prefix` says which kind of file made it.
    """
    digest = hashlib.sha256("\x1f".join(said).encode()).hexdigest()
    return PatientId(domain, f"{prefix}-{digest[:32]}")


def person_name(text: str, script: Script) -> PersonName:
    """A name in one piece; with one blank in it, that is where it divides."""
    parts = text.replace("\u3000", " ").split()
    if len(parts) == 2:
        return PersonName(parts[0], parts[1], script)
    return PersonName("", "", script, text=" ".join(parts))

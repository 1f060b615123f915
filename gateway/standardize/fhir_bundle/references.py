"""Which resource a Reference of a file means, and how it is said here.

A literal reference leads to an entry by its fullUrl, by type and id, or by `urn:uuid` and id; one
that leads out of the file becomes a logical reference, because ids of a foreign server mean
nothing here. Where two entries answer to one name, none is taken.
"""

from typing import Any

from gateway.standardize import codes
from gateway.standardize.fhir_bundle.normal import Resolve
from gateway.standardize.fhir_bundle.source import Entry
from gateway.standardize.reading import Reading
from gateway.wire import fhir


class References:
    """The names by which entries are referred to, and the ids that they have here."""

    __slots__ = ("_entries", "_ids")

    def __init__(self, entries: list[Entry]) -> None:
        self._entries: dict[str, Entry | None] = {}
        self._ids: dict[str, str] = {}
        for entry in entries:
            kind, identity = entry.resource["resourceType"], entry.resource.get("id", "")
            names = {entry.full_url} if entry.full_url else set()
            if identity:
                names |= {f"{kind}/{identity}", f"urn:uuid:{identity}"}
            for name in names:
                before = self._entries.setdefault(name, entry)
                if before is not entry and (not before or before.resource != entry.resource):
                    self._entries[name] = None  # two have it, and who is meant nobody says

    def target(self, literal: str) -> Entry | None:
        """The entry that a literal reference leads to."""
        name = literal.partition("/_history/")[0]
        found = self._entries.get(name)
        if found is None and name not in self._entries and name.startswith(("http:", "https:")):
            return self._entries.get("/".join(name.rsplit("/", 2)[-2:]))
        return found

    def name(self, entry: Entry, identity: str) -> None:
        """Say which id an entry has here."""
        self._ids[entry.at] = identity

    def identity(self, entry: Entry) -> str:
        """The id that an entry has here."""
        return self._ids[entry.at]

    def resolver(self, reading: Reading, entry: Entry) -> Resolve:
        """How references of one entry are said here."""

        def resolve(to: dict[str, Any]) -> dict[str, Any]:
            literal = to["reference"]
            if literal.startswith("#"):
                return to
            target = self.target(literal)
            if target is not None and target.at in self._ids:
                return {**to, "reference": f"urn:uuid:{self._ids[target.at]}"}
            kind = literal.partition("/_history/")[0].rpartition("/")[0].rpartition("/")[2]
            rest = {name: part for name, part in to.items() if name != "reference"}
            if kind == "Patient":  # no other is mentioned: the reader has made sure of it
                return {**rest, **reading.subject}
            reading.find("reference-unresolved", entry.at)
            if kind[:1].isupper():
                rest.setdefault("type", kind)
            system = codes.local_identifiers(reading.domain, "fhir")
            rest.setdefault("identifier", fhir.identifier(system, literal))
            return rest

        return resolve

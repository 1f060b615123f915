"""What an operator's code masters and a facility's code map say, for looking up while reading.

Masters are licensed and are not shipped: an operator loads them (`gateway codes load`). A master
is text sorted by code, searched in place: some hundred thousand codes cost their bytes and no more.
A book is read-only and never changes; another state of the masters is another book.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

_MEDIS = "http://medis.or.jp/CodeSystem/"
_MHLW = "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/"
_OURS = "urn:x-regional-gateway:code:"

SYSTEMS: Mapping[str, str] = {
    "hot13": _MEDIS + "master-HOT13",
    "hot9": _MEDIS + "master-HOT9",
    "hot7": _MEDIS + "master-HOT7",
    "yj": "http://capstandard.jp/iyaku.info/CodeSystem/YJ-code",
    "price-list": _OURS + "nhi-price-list",
    "receipt-drug": "urn:oid:1.2.392.100495.20.2.71",
    "receipt-procedure": _MHLW + "masterS-medicalProcedure",
    "receipt-dental": _MHLW + "masterH-dentalProcedure",
    "receipt-material": _OURS + "receipt-material",
    "receipt-disease": _MHLW + "masterB-disease",
    "receipt-modifier": _MHLW + "masterZ-disease-modifier",
    "disease": _MEDIS + "master-disease-keyNumber",
    "disease-exchange": _MEDIS + "master-disease-exCode",
    "modifier": _MEDIS + "master-disease-modKeyNumber",
    "modifier-exchange": _MEDIS + "master-disease-modExCode",
    "icd10": _MHLW + "ICD10-2013-full",
    "jlac10": _MEDIS + "master-JLAC10-17digits",
    "jlac11": _OURS + "jlac11",
    "general": _MHLW + "MedicationGeneralOrderCode",
    "loinc": "http://loinc.org",
}
"Word of a column or kind to its code system (JP Core 1.2.0, where it has one)."

JLAC10 = SYSTEMS["jlac10"]
MAP = "map"
"Kind of a facility's own map, from its codes to standard ones."
NONE = "-"
"In a map: this code has no standard one, whatever an older map said."

_PLACES: Mapping[str, tuple[tuple[str, str, int], ...]] = {
    # system to (kind of master, prefix of its keys, digits that a key has more than the code)
    SYSTEMS["hot13"]: (("hot", "", 0),),
    SYSTEMS["hot9"]: (("hot", "", 4),),
    SYSTEMS["hot7"]: (("hot", "", 6),),
    SYSTEMS["yj"]: (("yj", "", 0), ("hot", "yj:", 0)),
    SYSTEMS["price-list"]: (("yj", "", 0), ("receipt-drug", "price-list:", 0)),
    SYSTEMS["receipt-drug"]: (("receipt-drug", "", 0), ("hot", "receipt-drug:", 0)),
    SYSTEMS["receipt-procedure"]: (("receipt-procedure", "", 0),),
    SYSTEMS["receipt-dental"]: (("receipt-dental", "", 0),),
    SYSTEMS["receipt-material"]: (("receipt-material", "", 0),),
    SYSTEMS["receipt-disease"]: (("receipt-disease", "", 0), ("disease", "receipt-disease:", 0)),
    SYSTEMS["receipt-modifier"]: (("receipt-modifier", "", 0),),
    SYSTEMS["disease"]: (("disease", "", 0), ("receipt-disease", "disease:", 0)),
    SYSTEMS["disease-exchange"]: (
        ("disease", "disease-exchange:", 0),
        ("receipt-disease", "disease-exchange:", 0),
    ),
    SYSTEMS["modifier"]: (("modifier", "", 0), ("receipt-modifier", "modifier:", 0)),
    SYSTEMS["modifier-exchange"]: (("modifier", "modifier-exchange:", 0),),
    SYSTEMS["icd10"]: (("icd10", "", 0),),
    SYSTEMS["jlac10"]: (("jlac10", "", 0), ("loinc", "", 0)),
    SYSTEMS["jlac11"]: (("jlac11", "", 0),),
    SYSTEMS["general"]: (("general", "", 0),),
    SYSTEMS["loinc"]: (("loinc", "loinc:", 0),),
    "allergen": (("allergen", "", 0),),
}
"Where each system is looked up; another code of a master is a key of its own, with its prefix."

ALIASES = frozenset(
    (kind, prefix) for several in _PLACES.values() for kind, prefix, _ in several if prefix
)
"Kind of master and prefix of the further keys that its text has."
_FEWER = (15, 12)
"Digits of JLAC10 that are tried where all 17 are not found: any result kind, any method."
_MEMO = 65536


class Code(NamedTuple):
    """A code of a system, and its name there."""

    system: str
    code: str
    display: str = ""


class Entry(NamedTuple):
    """What one master says about one code."""

    code: str
    name: str
    start: str
    "First day as YYYYMMDD; empty where the master says none."
    end: str
    "Last day as YYYYMMDD."
    related: tuple[Code, ...]
    master: str
    "Which master and version says so."
    digits: int = 0
    "With how many digits it was found, where not with all."
    whole: tuple[Code, ...] = ()
    "Of a JLAC10 that lacks its last two digits: the one item that begins so, if it is one."


class Master:
    """One version of one master: its lines sorted by code, and what it is called."""

    __slots__ = ("_starts", "digest", "facility", "kind", "label", "name", "text", "version")

    def __init__(
        self, *, kind: str, name: str, version: str, text: bytes, facility: str = ""
    ) -> None:
        self.kind = kind
        self.name = name
        self.version = version
        self.facility = facility
        "Of a map, whose codes it is about."
        self.text = text
        self.digest = hashlib.sha256(text).hexdigest()
        self.label = f"{name}:{version}:{self.digest[:12]}"
        self._starts = array("Q", _starts(text))

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Of the further keys of its text."""
        return tuple(sorted(prefix for kind, prefix in ALIASES if kind == self.kind))

    def find(self, key: str) -> Entry | None:
        """The entry of a key."""
        for line in self._from(key):
            return self._entry(line) if line[0] == key else None
        return None

    def starting(self, prefix: str) -> Iterator[Entry]:
        """The entries whose keys start so, in order."""
        for line in self._from(prefix):
            if not line[0].startswith(prefix):
                return
            yield self._entry(line)

    def _from(self, key: str) -> Iterator[list[str]]:
        wanted = key.encode()
        first = bisect_left(self._starts, wanted, key=self._key)
        for place in range(first, len(self._starts)):
            start = self._starts[place]
            end = self.text.index(b"\n", start)
            yield self.text[start:end].decode().split("\t")

    def _key(self, start: int) -> bytes:
        return self.text[start : self.text.index(b"\t", start)]

    def _entry(self, line: Sequence[str]) -> Entry:
        code, name, start, end, *others = line
        related = []
        for other in others:
            word, _, rest = other.partition(" ")
            value, _, display = rest.partition(" ")
            related.append(Code(SYSTEMS.get(word, word), value, display))
        return Entry(code.rpartition(":")[2], name, start, end, tuple(related), self.label)


def _starts(text: bytes) -> Iterator[int]:
    place = 0
    while place < len(text):
        yield place
        place = text.index(b"\n", place) + 1


def line(code: str, name: str, start: str, end: str, related: Iterable[Code]) -> str:
    """One line of a master's text; `related` may name a system by its word."""
    others = (f"{one.system} {one.code} {one.display}".rstrip() for one in related)
    return "\t".join((code, name, start, end, *others)) + "\n"


class CodeBook:
    """Masters and maps of one moment; looks codes up."""

    __slots__ = ("_by_kind", "_maps", "_memo", "version")

    def __init__(self, masters: Iterable[Master] = ()) -> None:
        """Of one kind, the master that comes first goes before the others."""
        self._by_kind: dict[str, list[Master]] = {}
        for one in masters:
            self._by_kind.setdefault(one.kind, []).append(one)
        self._maps = self._by_kind.pop(MAP, [])
        self._memo: dict[tuple[str, str], tuple[Entry, ...]] = {}
        labels = [one.label for several in self._by_kind.values() for one in several]
        labels += [one.label for one in self._maps]
        digest = hashlib.sha256("\n".join(labels).encode()).hexdigest()[:12]
        self.version = digest if labels else ""
        "Tells this state of the masters from another; empty where there are none."

    def __bool__(self) -> bool:
        return bool(self.version)

    def display(self, system: str, code: str) -> str:
        """The name of a code, or empty."""
        return next((one.name for one in self.entries(system, code) if one.name), "")

    def related(self, system: str, code: str) -> tuple[Code, ...]:
        """Codes of other systems that a master states for a code; one a system."""
        found: dict[str, Code] = {}
        for entry in self.entries(system, code):
            for one in entry.related:
                if one.system != system:
                    found.setdefault(one.system, one)
        return tuple(found.values())

    def entries(self, system: str, code: str) -> tuple[Entry, ...]:
        """What each kind of master says about a code: its newest version that knows it."""
        key = (system, code)
        found = self._memo.get(key)
        if found is None:
            if len(self._memo) >= _MEMO:
                self._memo.clear()
            found = self._memo[key] = tuple(self._look(system, code))
        return found

    def mapped(self, name: str, code: str) -> Entry | None:
        """What the facility's map makes of its own code; `name` is its name of the system."""
        for one in self._maps:
            found = one.find(f"{name}\x1f{code}")
            if found is not None:
                return found if found.related else None
        return None

    def _look(self, system: str, code: str) -> Iterator[Entry]:
        for kind, prefix, more in _PLACES.get(system, ()):
            for master in self._by_kind.get(kind, ()):
                if system == JLAC10:
                    found = _by_fewer(master, code)
                elif more:
                    found = _agreed(master.starting(code), len(code) + more, code)
                else:
                    found = master.find(prefix + code)
                if found is not None:
                    yield found
                    break


def _by_fewer(master: Master, code: str) -> Entry | None:
    """A JLAC10 code by all its digits, else by fewer where all that match agree (lab.md 4)."""
    found = master.find(code)
    if found is not None:
        return found
    for digits in _FEWER:
        if len(code) >= digits:
            prefix = code[:digits]
            agreed = _agreed(master.starting(prefix), 0, prefix)
            if agreed is not None:
                only = len(code) == digits == _FEWER[0] and master.kind == "jlac10"
                items = [Code(JLAC10, one.code, one.name) for one in master.starting(prefix)]
                whole = tuple(items) if only and len(items) == 1 else ()
                return agreed._replace(digits=digits, whole=whole)
    return None


def _agreed(entries: Iterable[Entry], length: int, code: str) -> Entry | None:
    """One entry of several: their name if it is one, and the related codes that are one."""
    several = [one for one in entries if not length or len(one.code) == length]
    if not several:
        return None
    names = {one.name for one in several}
    by_system: dict[str, set[Code]] = {}
    for one in several:
        for other in one.related:
            by_system.setdefault(other.system, set()).add(other)
    related = tuple(
        next(iter(found)) for _, found in sorted(by_system.items())
        if len({one.code for one in found}) == 1
    )  # fmt: skip
    name = names.pop() if len(names) == 1 else ""
    if not name and not related:
        return None
    ends = [one.end for one in several]
    return Entry(
        code, name, min(one.start for one in several), "" if "" in ends else max(ends), related,
        several[0].master,
    )  # fmt: skip


NO_CODES = CodeBook()
"Without any master."

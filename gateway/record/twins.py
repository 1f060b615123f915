"""One fact that one facility delivers twice, as an order and as a claim, is shown once (STG-04).

A claim (レセプト) says again what the orders said: which drug, which diagnosis, which act, on which
day. Of the same facility, chart, kind of resource, code and day the order goes before the claim,
and of two claims with different payers the later one. Each order covers one claimed item, so a
second drug of the day that only the claim knows stays. Nothing is deleted: when an order goes, the
claimed item is shown again. Two facilities never cover each other (STD-03).
"""

import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gateway.model.batch import CLAIMED, Resource
from gateway.model.codebook import SYSTEMS
from gateway.store.record.items import ItemRow, Origin, Shared, read_content

_DAYS = {
    "MedicationRequest": "authoredOn",
    "MedicationDispense": "whenHandedOver",
    "MedicationAdministration": "effectiveDateTime",
    "Procedure": "performedDateTime",
    "Condition": "onsetDateTime",
}
"Resource types that orders and claims have in common, and their day."

_SYSTEMS = frozenset(
    SYSTEMS[word]
    for word in ("receipt-drug", "yj", "hot9", "hot13", "receipt-procedure", "receipt-dental",
                 "receipt-disease", "disease", "disease-exchange")
)  # fmt: skip
"Systems whose code is one product, act or disease; an ingredient or a class would cover too much."

_UNCODED = frozenset({"0000999", "20084317"})
"未コード化傷病名 of the receipt and of the disease master: nothing beside it is a code."
_SUSPECTED = "の疑い"
_MODIFIERS = ("JP_Condition_DiseasePrefixModifier", "JP_Condition_DiseasePostfixModifier")
_WHOLE_DAY = 10

Key = tuple[Hashable, ...]


def shown(
    current: Iterable[ItemRow], made: Mapping[Origin, Shared] = MappingProxyType({})
) -> list[ItemRow]:
    """The rows that are left of one person's current ones, in their order.

    `made` are those whose content is in memory.
    """
    listed = list(current)
    hidden = {id(row) for group in _groups(listed) for row in _covered(group, made)}
    return [row for row in listed if id(row) not in hidden]


def keys_of(item: Shared) -> list[frozenset[Key]]:
    """What each drug, act or disease of an item is known by, on its day; one of a mixture each."""
    resource = item.resource
    kind = str(resource.get("resourceType", ""))
    day = str(resource.get(_DAYS.get(kind, ""), ""))[:_WHOLE_DAY]
    if len(day) < _WHOLE_DAY:
        return []
    if kind == "Condition":
        return [_condition(resource, day)]
    concepts = [resource.get("medicationCodeableConcept") or resource.get("code") or {}]
    if "medicationReference" in resource:
        concepts = [
            part["itemCodeableConcept"]
            for one in item.companions
            if one["resourceType"] == "Medication"
            for part in one.get("ingredient", ())
            if "itemCodeableConcept" in part
        ]
    return [frozenset((kind, *code, day) for code in _codes(concept)) for concept in concepts]


def _groups(rows: Iterable[ItemRow]) -> Iterator[list[ItemRow]]:
    """Rows of one facility, chart, category and month, where some are claimed and may be doubled.

    Only these are read: what an order is about is known by its content alone.
    """
    groups: dict[tuple[str, ...], list[ItemRow]] = defaultdict(list)
    for row in rows:
        groups[row.facility, row.domain, row.value, row.category].append(row)
    for group in groups.values():
        months: dict[str, list[ItemRow]] = defaultdict(list)
        for row in group:
            if _is_claimed(row):
                months[_month(row)].append(row)
        others = [row for row in group if not _is_claimed(row)] if months else []
        for month, claims in months.items():
            found = [row for row in others if month in row.content]
            if found or len({_receipt(row) for row in claims}) > 1:
                yield [*found, *claims]


def _is_claimed(row: ItemRow) -> bool:
    return row.key.startswith(CLAIMED)


def _month(row: ItemRow) -> str:
    """Month of a claimed item, YYYY-MM; empty where it goes on from month to month."""
    second = row.key.split("|", 2)[1]
    return second if second[:4].isdigit() else ""


def _receipt(row: ItemRow) -> str:
    """Month, kind and payers of the receipt that says an item."""
    return "|".join(row.key.split("|")[:4])


def _covered(group: Sequence[ItemRow], made: Mapping[Origin, Shared]) -> Iterator[ItemRow]:
    """Claimed rows of a group that another row says too."""
    covers: dict[Key, list[_Cover]] = defaultdict(list)
    claims: list[tuple[ItemRow, frozenset[Key]]] = []
    for row in group:
        for keys in keys_of(made.get(row.origin) or read_content(row)):
            if _is_claimed(row):
                claims.append((row, keys))
            else:
                _offer(covers, row, keys)
    # The newest claim first, because it covers the older ones.
    for row, keys in sorted(claims, key=lambda one: one[0].version, reverse=True):
        found = [one for key in keys for one in covers[key] if one.free_for(row)]
        if found:
            min(found, key=lambda one: one.row.id).used = True
            yield row
        else:
            _offer(covers, row, keys)


def _offer(covers: dict[Key, list["_Cover"]], row: ItemRow, keys: frozenset[Key]) -> None:
    cover = _Cover(row)
    for key in keys:
        covers[key].append(cover)


class _Cover:
    """An item that covers one claimed item."""

    __slots__ = ("row", "used")

    def __init__(self, row: ItemRow) -> None:
        self.row = row
        self.used = False

    def free_for(self, claim: ItemRow) -> bool:
        """Whether it may cover this one: an order may, and a later claim of other payers."""
        if self.used:
            return False
        if not _is_claimed(self.row):
            return True
        return _receipt(self.row) != _receipt(claim) and self.row.version > claim.version


def _codes(concept: dict[str, Any]) -> list[tuple[str, str]]:
    codings = concept.get("coding", ())
    if any(one.get("code") in _UNCODED for one in codings):
        return []
    return [
        (one["system"], one["code"])
        for one in codings
        if one.get("system") in _SYSTEMS and one.get("code")
    ]


def _condition(resource: Resource, day: str) -> frozenset[Key]:
    """A disease by code with its modifiers, or by its whole name; suspected ones are others."""
    concept = resource.get("code", {})
    name = unicodedata.normalize("NFKC", str(concept.get("text", ""))).replace(" ", "")
    modifiers, suspected = set(), "verificationStatus" in resource or name.endswith(_SUSPECTED)
    for one in concept.get("extension", ()):
        if str(one.get("url", "")).rpartition("/")[2] in _MODIFIERS:
            value = one.get("valueCodeableConcept", {})
            coding: dict[str, Any] = next(iter(value.get("coding", ())), {})
            modifiers.add(value.get("text") or f"{coding.get('system')}|{coding.get('code')}")
    if _SUSPECTED in modifiers:
        modifiers.discard(_SUSPECTED)
        suspected = True
    rest = (tuple(sorted(modifiers)), suspected, day)
    found: set[Key] = {("Condition", *code, *rest) for code in _codes(concept)}
    if name:
        found.add(("Condition", name.removesuffix(_SUSPECTED), suspected, day))
    return frozenset(found)

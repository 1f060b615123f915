"""What a file would become today, compared with what it became: a semantic difference. Pure.

Versions of an item that one file made are a chain of their own: what a replay changes stands right
after that file's last word and before every newer delivery, so that a replayed old file never
supersedes a newer one. `V!1` sorts after `V` and before `V~1` and every later time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.model.batch import Batch, Item, Resource
from gateway.store.record.replay import Held
from gateway.wire import fhir

ADDED, CHANGED, ENDED = "added", "changed", "ended"
_REPLAYED, _CORRECTED = "!", "~"
_LAST = 9


class Element(NamedTuple):
    """One element that differs; its values are a patient's data."""

    path: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One item that a replay adds, changes or ends."""

    kind: str
    key: str
    category: str
    version: str
    "Of the row that says so."
    cancelled: bool
    resource: str
    "`Observation/ID`; of an ending what it ends."
    elements: tuple[Element, ...] = ()
    item: Item | None = None
    "None for an ending."


@dataclass(slots=True, kw_only=True)
class Difference:
    """What replaying one file changes."""

    changes: list[Change] = field(default_factory=list)
    unchanged: int = 0
    patient: tuple[Element, ...] = ()
    "Elements of the JP_Patient that the file describes."


def suffix(number: int) -> str:
    """1 to 9, then 91 to 99, then 991: numbers whose order as text is their order."""
    nines, rest = divmod(number - 1, _LAST)
    return str(_LAST) * nines + str(rest + 1)


def compare(
    file: str, batch: Batch, held: Iterable[Held], patient: Resource | None
) -> Difference:  # fmt: skip
    """Compare a file's batch of today with every version of its items and of their keys."""
    by_key: dict[str, list[Held]] = {}
    for row in held:
        by_key.setdefault(row.key, []).append(row)
    found = Difference(patient=tuple(_elements("", patient or {}, batch.patient_resource or {})))
    made = set()
    for item in batch.items:
        made.add(item.key)
        change = _item(file, batch, item, by_key.get(item.key, []))
        if change is None:
            found.unchanged += 1
        else:
            found.changes.append(change)
    for key, rows in sorted(by_key.items()):
        last = _last(file, rows)
        if key not in made and last is not None and not last.cancelled:
            found.changes.append(
                Change(
                    kind=ENDED, key=key, category=last.category, version=_after(last, rows),
                    cancelled=True, resource=_name(fhir.loads(last.content)["resource"]),
                )
            )  # fmt: skip
    return found


def endings(batch: Batch, newest: Mapping[str, tuple[str, bool, str]]) -> Iterator[tuple[str, str]]:
    """Key and category of what a file that states its scope completely ends; as staging does."""
    stated = {item.key for item in batch.items}
    for key, (version, cancelled, category) in sorted(newest.items()):
        if key not in stated and not cancelled and version < batch.version:
            yield key, category


def _item(file: str, batch: Batch, item: Item, rows: Sequence[Held]) -> Change | None:
    """How one item differs; None where what is there says the same."""
    last = _last(file, rows)
    name = _name(item.resource)
    if last is not None:
        elements = tuple(_differences(last, item))
        if not elements:
            return None
        # What this file had ended (or could not read before) comes anew.
        kind = ADDED if _is_ending(last) else CHANGED
        return Change(
            kind=kind, key=item.key, category=item.category.value, version=_after(last, rows),
            cancelled=item.cancelled, resource=name, elements=elements if kind == CHANGED else (),
            item=item,
        )  # fmt: skip
    stated = item.version or batch.version
    family = [row for row in rows if is_of(row.version, stated)]
    if any(not any(_differences(row, item)) for row in family):
        return None  # the same item came with another file
    version = corrected(stated, [row.version for row in family]) if family else stated
    return Change(
        kind=ADDED, key=item.key, category=item.category.value, version=version,
        cancelled=item.cancelled, resource=name, item=item,
    )  # fmt: skip


def is_of(version: str, stated: str) -> bool:
    """Whether a version is the one that a source stated, or a correction or replay of it."""
    return version.startswith(stated) and version[len(stated) : len(stated) + 1] in (
        "", _CORRECTED, _REPLAYED,
    )  # fmt: skip


def corrected(stated: str, family: Iterable[str]) -> str:
    """The version of a correction: after all that stand under the version the source stated."""
    before = sum(_REPLAYED not in version[len(stated) :] for version in family)
    return stated + _CORRECTED + suffix(max(before, 1))


def _last(file: str, rows: Iterable[Held]) -> Held | None:
    """A file's last word on an item; what it ended of other files' items is no word of its own."""
    own = (
        row for row in rows
        if row.file == file and (_REPLAYED in row.version or not _is_ending(row))
    )  # fmt: skip
    return max(own, key=lambda row: row.version, default=None)


def _is_ending(row: Held) -> bool:
    return row.cancelled and not fhir.loads(row.content)["resource"]


def _after(last: Held, rows: Iterable[Held]) -> str:
    """The version of a replay right after a file's last word."""
    base = last.version.rpartition(_REPLAYED)[0] or last.version
    mark = base + _REPLAYED
    return mark + suffix(1 + sum(row.version.startswith(mark) for row in rows))


def _name(resource: Resource) -> str:
    return f"{resource.get('resourceType', '')}/{resource.get('id', '')}"


def _differences(row: Held, item: Item) -> Iterator[Element]:
    whole = fhir.loads(row.content)
    if row.cancelled != item.cancelled:
        yield Element("cancelled", row.cancelled, item.cancelled)
    new = fhir.loads(fhir.dumps(item.resource))
    yield from _elements(str(new["resourceType"]), whole["resource"], new)
    before = {one["id"]: one for one in whole["companions"]}
    after = {one["id"]: fhir.loads(fhir.dumps(one)) for one in item.companions}
    for identity in sorted(before.keys() | after.keys()):
        old, made = before.get(identity, {}), after.get(identity, {})
        kind = str((made or old)["resourceType"])
        if not old or not made:
            yield Element(kind, old or None, made or None)
        else:
            yield from _elements(kind, old, made)


def _elements(path: str, old: Any, new: Any) -> Iterator[Element]:
    """The deepest elements that differ."""
    if isinstance(old, dict) and isinstance(new, dict) and old and new:
        for name in sorted(old.keys() | new.keys()):
            inner = f"{path}.{name}".lstrip(".")
            yield from _elements(inner, old.get(name), new.get(name))
    elif isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            first = old[place] if place < len(old) else None
            second = new[place] if place < len(new) else None
            yield from _elements(f"{path}[{place}]", first, second)
    elif not _equal(old, new):
        yield Element(path or "Patient", old, new)


def _equal(old: Any, new: Any) -> bool:
    """As it is written: 7.1 is not 7.10."""
    return bool(fhir.dumps({"is": old}) == fhir.dumps({"is": new}))

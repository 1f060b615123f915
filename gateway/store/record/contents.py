"""The content of an item as it is stored, and as everybody else reads it.

What several items of a file refer to (the order, the specimen) is written once: with the first of
them that is of the same category. The others say `beside`: the id, and the key and version of the
item that has it, where these are not those of the id before. Items of one file and category are
shared, kept and erased together, so it is there for as long as they are. Whoever reads through
this module sees each item whole.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement

from gateway.model.batch import Resource
from gateway.wire import fhir

_BESIDE = ',"beside":[['
_END = "]]}"

Place = tuple[str, str]
"Key and version of an item of a chart."


def whole(resource: Resource, companions: Sequence[Resource], source: Mapping[str, Any]) -> str:
    """The content of an item by itself; decimals as they were written."""
    return _write(resource, source, companions, ())


def _write(
    resource: Resource, source: Mapping[str, Any], companions: Sequence[Any], beside: Any
) -> str:
    made = {"resource": resource, "source": source, "companions": companions}
    if beside:
        made["beside"] = beside
    return fhir.dumps(made).decode()


@dataclass(frozen=True, slots=True)
class _Written:
    resource: Resource
    place: Place


class Contents:
    """Writes the contents of what one file became."""

    def __init__(self) -> None:
        self._written: dict[tuple[str, str], _Written] = {}
        self._last: tuple[str, Sequence[Resource]] = ("", ())
        self._said: orjson.Fragment | None = None
        "What items say that have the companions of the last one, where none of these was new."

    def write(
        self,
        category: str,
        place: Place,
        resource: Resource,
        companions: Sequence[Resource],
        source: Mapping[str, Any],
    ) -> str:
        """The content of one more item."""
        if companions is self._last[1] and category == self._last[0] and self._said:
            return _write(resource, source, (), self._said)
        own: list[Resource] = []
        beside: list[tuple[str, ...]] = []
        before = None
        for one in companions:
            name = (category, one["id"])
            written = self._written.get(name)
            if written is None:
                self._written[name] = _Written(one, place)
                own.append(one)
            elif written.resource is one or written.resource == one:
                same = written.place == before
                beside.append((one["id"],) if same else (one["id"], *written.place))
                before = written.place
            else:
                own.append(one)
        self._last = category, companions
        self._said = orjson.Fragment(orjson.dumps(beside)) if beside and not own else None
        return _write(resource, source, own, beside)


def is_whole(content: str) -> bool:
    """Whether a content stands by itself; what a source says never ends so."""
    return not content.endswith(_END)


def stands_alone(content: ColumnElement[str]) -> ColumnElement[bool]:
    """`is_whole`, of a column."""
    return ~content.endswith(_END)


def refers_to(content: str) -> list[tuple[str, Place]]:
    """The ids that an item refers to beside its own content, and where each is."""
    if is_whole(content):
        return []
    start = content.rindex(_BESIDE) + len(_BESIDE) - 2
    found: list[tuple[str, Place]] = []
    for id, *place in orjson.loads(content[start:-1]):
        found.append((id, (place[0], place[1]) if place else found[-1][1]))
    return found


def completed(content: str, companion: Callable[[str, Place], str]) -> str:
    """The content of an item by itself; `companion` gives the text of what stands elsewhere."""
    found = [companion(id, place) for id, place in refers_to(content)]
    if not found:
        return content
    head = content[: content.rindex(_BESIDE) - 1]
    comma = "" if head.endswith("[") else ","
    return f"{head}{comma}{','.join(found)}]}}"


def companions_of(content: str) -> dict[str, str]:
    """Id to text of the companions that a content has itself."""
    found: Iterable[Resource] = fhir.loads(content)["companions"]
    return {one["id"]: fhir.dumps(one).decode() for one in found}

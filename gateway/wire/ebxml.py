"""ebXML registry grammar: queries and their literals, codes, times, responses and errors.

ebRS 3.0 and ebRIM 3.0 as ITI TF-2: 3.18 and ITI TF-3: 4.2 use them.
"""

import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum

from lxml import etree

from gateway.errors import Invalid, Malformed, ParameterCount
from gateway.model.document import Code
from gateway.model.identifiers import Oid, PatientId
from gateway.wire import xml
from gateway.wire.xml import NAMESPACES, Fragment, Template

_STATUS = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:"
_SEVERITY = "urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:"
_MOST_VALUES = 500
_VALUE, _LONGEST_VALUE = xml.clark("rim:Value"), 256
_LITERAL = re.compile(r"\s*(?:'((?:[^']|'')*)'|([0-9]{1,30}))\s*")
_TIME = re.compile(r"\d{4}(?:\d{2}){0,5}")


class Status(Enum):
    """Outcome of a registry request (ITI TF-3: 4.2.4.2)."""

    SUCCESS = _STATUS + "Success"
    PARTIAL = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess"
    FAILURE = _STATUS + "Failure"

    @classmethod
    def of(cls, *, errors: int, results: int) -> "Status":
        """No error is Success; errors beside results are PartialSuccess, alone Failure."""
        if not errors:
            return cls.SUCCESS
        return cls.PARTIAL if results else cls.FAILURE


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryError:
    """One error or warning of a response (ITI TF-3: 4.2.4.1)."""

    code: str
    context: str
    location: str
    "The homeCommunityId of whoever failed, as `urn:oid:` (FN-108)."
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """The outcome part of a response, as a peer wrote it."""

    status: Status
    errors: tuple[RegistryError, ...] = ()


@dataclass(frozen=True, slots=True)
class Literal:
    """One value of a query parameter."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AdhocQuery:
    """A stored query as it came: id, community, and parameters by name."""

    id: str
    home: str | None
    return_type: str
    parameters: dict[str, tuple[tuple[Literal, ...], ...]]
    "By slot name; one tuple for each slot of that name, all its values together."


def read_query(body: etree._Element) -> AdhocQuery:
    """Read `query:AdhocQueryRequest` (ITI TF-2: 3.18.4.1.2)."""
    if body.tag != xml.clark("query:AdhocQueryRequest"):
        raise Malformed("not an AdhocQueryRequest", "AdhocQueryRequest ではありません")
    children = [etree.QName(child).localname for child in xml.children(body)]
    if [name for name in children if name != "RequestSlotList"] != ["ResponseOption", "AdhocQuery"]:
        raise Malformed(
            "AdhocQueryRequest holds ResponseOption and AdhocQuery",
            "AdhocQueryRequest の構造が違います",
            at="AdhocQueryRequest",
        )
    option = xml.one(body, "query:ResponseOption")
    query = xml.one(body, "rim:AdhocQuery")
    parameters: dict[str, tuple[tuple[Literal, ...], ...]] = {}
    for slot in xml.many(query, "rim:Slot"):
        name = xml.attribute(slot, "name")
        if not name.startswith("$"):
            continue
        texts = slot_values(slot)
        parameters[name] = (*parameters.get(name, ()), read_literals(texts, at=name))
    return AdhocQuery(
        id=xml.attribute(query, "id"),
        home=query.get("home"),
        return_type=option.get("returnType", "RegistryObject"),
        parameters=parameters,
    )


def with_short_values(body: etree._Element) -> etree._Element:
    """The request with every value cut to the 256 characters that the schema allows.

    ebRIM 3.0 would have long lists of ids split over several values; partners write them as one
    (FN-611). For the schema's judgement alone: the codec reads the original.
    """
    long = [value for value in body.iter(_VALUE) if len(value.text or "") > _LONGEST_VALUE]
    if not long:
        return body
    copy = deepcopy(body)
    for value in copy.iter(_VALUE):
        value.text = (value.text or "")[:_LONGEST_VALUE]
    return copy


def slot_values(slot: etree._Element) -> list[str]:
    """The texts of one slot; comments inside a value are refused (A-07)."""
    values = xml.maybe(slot, "rim:ValueList")
    return [] if values is None else [xml.text(value) for value in xml.many(values, "rim:Value")]


def slots(parent: etree._Element) -> dict[str, list[str]]:
    """The slots of a registry object; a name that is there twice is read as one (FN-611)."""
    found: dict[str, list[str]] = {}
    for slot in xml.many(parent, "rim:Slot"):
        found.setdefault(slot.get("name", ""), []).extend(slot_values(slot))
    return found


def read_literals(texts: Iterable[str], *, at: str) -> tuple[Literal, ...]:
    """Every value of one slot: single literals and lists in parentheses (FN-601, FN-602)."""
    found: list[Literal] = []
    for text in texts:
        stripped = text.strip()
        listed = stripped.startswith("(")
        if listed != stripped.endswith(")"):
            raise _bad_value(at)
        place, inner = 0, stripped[1:-1] if listed else stripped
        while True:
            match = _LITERAL.match(inner, place)
            if match is None:
                raise _bad_value(at)
            found.append(_literal(match))
            if len(found) > _MOST_VALUES:
                raise ParameterCount("too many values", "値が多すぎます", at=at, log="LIMIT")
            place = match.end()
            if place == len(inner):
                break
            if not listed or inner[place] != ",":
                raise _bad_value(at)
            place += 1
    return tuple(found)


def _literal(match: re.Match[str]) -> Literal:
    """A doubled quote inside quotes is one quote."""
    quoted: str | None = match[1]
    if quoted is None:
        return Literal(match[2], quoted=False)
    return Literal(quoted.replace("''", "'"), quoted=True)


def _bad_value(at: str) -> Invalid:
    return Invalid(
        "the value is not a quoted string, a number or a list of them",
        "値は引用符付き文字列、数値、またはその並びです",
        at=at,
    )


def read_code(literal: Literal, *, at: str) -> Code:
    """`'code^^scheme'` (ITI TF-2: 3.18.4.1.2.3.4)."""
    code, _, rest = literal.text.partition("^")
    middle, _, scheme = rest.partition("^")
    if not (literal.quoted and code and scheme) or middle or "^" in scheme:
        raise Invalid("the value is not code^^scheme", "値が code^^scheme ではありません", at=at)
    return Code(code, scheme)


def read_cx(text: str, *, at: str) -> PatientId:
    """`id^^^&oid&ISO`; HD.1 and further components are decoration (FN-202)."""
    parts = text.split("^")
    authority = parts[3].split("&") if len(parts) > 3 else []
    if len(authority) != 3 or authority[2] != "ISO":
        raise Invalid("the value is not id^^^&oid&ISO", "値が id^^^&oid&ISO ではありません", at=at)
    try:
        return PatientId(Oid(authority[1]), parts[0])
    except Malformed as error:
        raise Invalid(error.english, error.japanese, at=at) from error


def read_time(text: str, *, at: str) -> datetime:
    """A DTM of any precision from year to second, in UTC (ITI TF-3: 4.2.3.1.7, FN-613)."""
    if _TIME.fullmatch(text):
        padded = text + "00000101000000"[len(text) :]
        try:
            return datetime.strptime(padded, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        except ValueError:
            pass
    raise Invalid("the value is not a date or time", "値が日時ではありません", at=at)


def write_time(moment: datetime) -> str:
    """A moment as DTM in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")


_ERROR = Template(
    '<rs:RegistryError errorCode="{code}" codeContext="{context}" location="{location}"'
    ' severity="{severity}"/>'
)
_ERRORS = Template(
    '<rs:RegistryErrorList highestSeverity="{highest}">{errors}</rs:RegistryErrorList>'
)
_RESPONSE = Template(
    f'<rs:RegistryResponse xmlns:rs="{NAMESPACES["rs"]}" status="{{status}}">{{errors}}'
    "</rs:RegistryResponse>"
)
_QUERY_RESPONSE = Template(
    f'<query:AdhocQueryResponse xmlns:query="{NAMESPACES["query"]}" xmlns:rs="{NAMESPACES["rs"]}"'
    f' xmlns:rim="{NAMESPACES["rim"]}" status="{{status}}">{{errors}}'
    "<rim:RegistryObjectList>{objects}</rim:RegistryObjectList></query:AdhocQueryResponse>"
)


def write_errors(errors: Sequence[RegistryError]) -> Fragment:
    """`rs:RegistryErrorList`, or nothing where there is no error."""
    if not errors:
        return xml.EMPTY
    warnings_only = all(error.warning for error in errors)
    return _ERRORS.fill(
        highest=_SEVERITY + ("Warning" if warnings_only else "Error"),
        errors=xml.join(
            _ERROR.fill(
                code=error.code,
                context=error.context,
                location=error.location,
                severity=_SEVERITY + ("Warning" if error.warning else "Error"),
            )
            for error in errors
        ),
    )


def write_response(status: Status, errors: Sequence[RegistryError] = ()) -> Fragment:
    """`rs:RegistryResponse` (ITI TF-3: 4.2.4)."""
    return _RESPONSE.fill(status=status.value, errors=write_errors(errors))


def write_query_response(
    status: Status, errors: Sequence[RegistryError] = (), objects: Iterable[Fragment] = ()
) -> bytes:
    """`query:AdhocQueryResponse`; its object list is there even when empty (ebRS query.xsd)."""
    return _QUERY_RESPONSE.fill(
        status=status.value, errors=write_errors(errors), objects=xml.join(objects)
    ).encode()


def read_response(element: etree._Element) -> Response:
    """Status and errors of `rs:RegistryResponse` or `query:AdhocQueryResponse`."""
    name = xml.attribute(element, "status").rpartition(":")[2]
    statuses = {"Success": Status.SUCCESS, "PartialSuccess": Status.PARTIAL}
    statuses["Failure"] = Status.FAILURE
    if name not in statuses:
        raise Malformed("the status is not one of ebRS", "status の値が違います", at="@status")
    return Response(
        status=statuses[name],
        errors=tuple(
            RegistryError(
                code=xml.attribute(error, "errorCode"),
                context=xml.attribute(error, "codeContext"),
                location=error.get("location", ""),
                warning=error.get("severity", "").endswith(":Warning"),
            )
            for error in xml.many(element, "rs:RegistryErrorList/rs:RegistryError")
        ),
    )

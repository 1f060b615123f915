"""The registry's grammar: literals, codes, identifiers, times, outcomes."""

from datetime import UTC, datetime

import pytest

from gateway.errors import Invalid, Malformed, ParameterCount
from gateway.model.document import Code
from gateway.model.identifiers import Oid, PatientId
from gateway.wire import ebxml, xml
from gateway.wire.ebxml import Literal, RegistryError, Response, Status
from gateway.wire.schemas import Schemas
from tests.shared import needs_shared, shared

RIM, QUERY, RS = xml.NAMESPACES["rim"], xml.NAMESPACES["query"], xml.NAMESPACES["rs"]


def quoted(*texts: str) -> tuple[Literal, ...]:
    return tuple(Literal(text, quoted=True) for text in texts)


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        pytest.param(["'a'"], quoted("a"), id="one string"),
        pytest.param(["('a')"], quoted("a"), id="a list of one"),
        pytest.param(["('a','b' , 'c')"], quoted("a", "b", "c"), id="a list"),
        pytest.param(["('a')", "('b')"], quoted("a", "b"), id="several values"),
        pytest.param(["'it''s'"], quoted("it's"), id="a doubled quote"),
        pytest.param(["''"], quoted(""), id="nothing in quotes"),
        pytest.param(["20250101"], (Literal("20250101", quoted=False),), id="a number"),
        pytest.param(["( 1,'2' )"], (Literal("1", quoted=False), *quoted("2")), id="mixed"),
        pytest.param([" \n 'a' "], quoted("a"), id="white space around"),
        pytest.param(["'山田^^1.2'"], quoted("山田^^1.2"), id="kanji"),
        pytest.param(["('a,b)','(c')"], quoted("a,b)", "(c"), id="signs inside quotes"),
    ],
)
def test_literals_are_read(texts: list[str], read: tuple[Literal, ...]) -> None:
    assert ebxml.read_literals(texts, at="$x") == read


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "'a", "a'", "('a'", "'a')", "('a' 'b')", "('a',)", "(,'a')", "()", "'a','b'",
        "'a' or '1'='1'", "('1''^^^&1.2.3&ISO') or 1=1--", "1.5", "-1", "(('a'))", "urn:x",
        "'a'; drop table", "9" * 31, "１２",
    ],
)  # fmt: skip
def test_other_values_are_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        ebxml.read_literals([text], at="$x")
    assert caught.value.at == "$x"
    assert "drop" not in caught.value.english


def test_the_number_of_values_is_limited() -> None:
    assert len(ebxml.read_literals(["(" + ",".join(["'a'"] * 500) + ")"], at="$x")) == 500
    for texts in (["(" + ",".join(["'a'"] * 501) + ")"], ["'a'"] * 10_000):
        with pytest.raises(ParameterCount):
            ebxml.read_literals(texts, at="$x")


def test_codes_are_read() -> None:
    assert ebxml.read_code(quoted("T^^1.2")[0], at="$x") == Code("T", "1.2")
    for text in ("T", "T^^", "^^1.2", "T^x^1.2", "T^1.2", "T^^1.2^3", ""):
        with pytest.raises(Invalid):
            ebxml.read_code(quoted(text)[0], at="$x")
    with pytest.raises(Invalid):
        ebxml.read_code(Literal("1", quoted=False), at="$x")


@pytest.mark.parametrize(
    "text", ["A1^^^&1.2.3&ISO", "A1^^^name&1.2.3&ISO", "A1^^^&1.2.3&ISO^PI", "A1^x^y^&1.2.3&ISO"]
)
def test_a_patient_id_is_read_with_its_decoration(text: str) -> None:
    assert ebxml.read_cx(text, at="$x") == PatientId(Oid("1.2.3"), "A1")


@pytest.mark.parametrize(
    "text",
    [
        "", "A1", "A1^^^", "A1^^^&1.2.3", "A1^^^&1.2.3&DNS", "A1^^^&urn:oid:1.2.3&ISO",
        "^^^&1.2.3&ISO", "A1^^^&1.02&ISO", "A\u200b1^^^&1.2.3&ISO", "A1^^^&amp;1.2.3&amp;ISO",
        "1'^^^&1.2.3&ISO' or 1=1--",
    ],
)  # fmt: skip
def test_other_patient_ids_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        ebxml.read_cx(text, at="$x")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025", datetime(2025, 1, 1, tzinfo=UTC)),
        ("202503", datetime(2025, 3, 1, tzinfo=UTC)),
        ("20250304", datetime(2025, 3, 4, tzinfo=UTC)),
        ("2025030405", datetime(2025, 3, 4, 5, tzinfo=UTC)),
        ("20250304050607", datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC)),
    ],
)
def test_times_of_any_precision_are_read(text: str, moment: datetime) -> None:
    assert ebxml.read_time(text, at="$x") == moment
    assert ebxml.write_time(moment) == (text + "00000101000000"[len(text) :])


@pytest.mark.parametrize("text", ["", "25", "202513", "20250230", "2025-01-01", "20250101T00", "²"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        ebxml.read_time(text, at="$x")


@pytest.mark.parametrize(
    ("errors", "results", "status"),
    [
        (0, 0, Status.SUCCESS),
        (0, 2, Status.SUCCESS),
        (1, 1, Status.PARTIAL),
        (2, 0, Status.FAILURE),
    ],
)
def test_the_outcome_follows_errors_and_results(errors: int, results: int, status: Status) -> None:
    assert Status.of(errors=errors, results=results) is status


_ERROR = RegistryError(code="XDSRegistryError", context="<'&\">", location="urn:oid:2.999.10.1")


def test_a_response_reads_back_as_it_was_written() -> None:
    content = ebxml.write_query_response(Status.FAILURE, (_ERROR,))
    assert ebxml.read_response(xml.parse(content)) == Response(
        status=Status.FAILURE, errors=(_ERROR,)
    )


@pytest.mark.parametrize("form", ["urn:ihe:iti:2007", "urn:oasis:names:tc:ebxml-regrep"])
def test_partial_success_is_read_in_the_wrong_form_too(form: str) -> None:
    status = f"{form}:ResponseStatusType:PartialSuccess"
    element = xml.parse(f'<r:RegistryResponse xmlns:r="{RS}" status="{status}"/>'.encode())
    assert ebxml.read_response(element).status is Status.PARTIAL


def test_an_unknown_status_is_refused() -> None:
    element = xml.parse(f'<r:RegistryResponse xmlns:r="{RS}" status="urn:x:Approved"/>'.encode())
    with pytest.raises(Malformed):
        ebxml.read_response(element)


@needs_shared
@pytest.mark.parametrize("warning", [False, True])
def test_responses_fit_the_published_schema(warning: bool) -> None:
    schemas = Schemas(shared("ihe", "schema"))
    error = RegistryError(code="X", context="y", location="urn:oid:1.2", warning=warning)
    schemas.check(
        xml.parse(ebxml.write_query_response(Status.PARTIAL, (error, error))), "ebRS/query.xsd"
    )
    schemas.check(xml.parse(ebxml.write_query_response(Status.SUCCESS)), "ebRS/query.xsd")
    schemas.check(xml.parse(ebxml.write_response(Status.FAILURE, (error,)).encode()), "ebRS/rs.xsd")


def query(inside: str, *, option: str = '<q:ResponseOption returnType="LeafClass"/>') -> bytes:
    return (
        f'<q:AdhocQueryRequest xmlns:q="{QUERY}" xmlns:r="{RIM}">{option}'
        f'<r:AdhocQuery id="urn:uuid:1">{inside}</r:AdhocQuery></q:AdhocQueryRequest>'
    ).encode()


def slot(name: str, *values: str) -> str:
    inner = "".join(f"<r:Value>{value}</r:Value>" for value in values)
    return f'<r:Slot name="{name}"><r:ValueList>{inner}</r:ValueList></r:Slot>'


def test_slots_of_one_name_stay_apart() -> None:
    found = ebxml.read_query(xml.parse(query(slot("$a", "'1'", "'2'") + slot("$a", "'3'"))))
    assert found.parameters == {"$a": (quoted("1", "2"), quoted("3"))}
    assert (found.id, found.home, found.return_type) == ("urn:uuid:1", None, "LeafClass")


def test_slots_that_are_no_parameters_are_left_out() -> None:
    assert ebxml.read_query(xml.parse(query(slot("extra", "free text")))).parameters == {}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(query("", option=""), id="no option"),
        pytest.param(query("").replace(b"AdhocQueryRequest", b"Other"), id="another element"),
        pytest.param(query(slot("$a", "'1<!-- -->2'")), id="a remark in a value"),
        pytest.param(query(slot("$a", "'1<b/>2'")), id="an element in a value"),
        pytest.param(query("<r:Slot><r:ValueList/></r:Slot>"), id="a slot without name"),
        pytest.param(query("").replace(b' id="urn:uuid:1"', b""), id="no id"),
        pytest.param(query("").replace(b"</q:A", b"<r:AdhocQuery id='x'/></q:A"), id="two queries"),
    ],
)
def test_other_bodies_are_refused(content: bytes) -> None:
    with pytest.raises(Malformed):
        ebxml.read_query(xml.parse(content))

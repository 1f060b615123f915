"""The fault table of `security.md` 2.1, row by row, and a line for every kind of refusal."""

import pytest

from gateway import errors
from gateway.wire import faults, soap, xml
from gateway.wire.faults import Fault

ROWS = [
    # fault, code and subcodes, status
    (faults.malformed(), "env:Sender", 400),
    (faults.version_mismatch(), "env:VersionMismatch", 500),
    (faults.must_understand((("u:x", "h"),)), "env:MustUnderstand", 500),
    (faults.action_not_supported(), "env:Sender wsa:ActionNotSupported", 400),
    (faults.action_mismatch(), "env:Sender wsa:InvalidAddressingHeader wsa:ActionMismatch", 400),
    (faults.header_required("wsa:Action"), "env:Sender wsa:MessageAddressingHeaderRequired", 400),
    (faults.header_invalid("wsa:To"), "env:Sender wsa:InvalidAddressingHeader", 400),
    (
        faults.header_doubled("wsa:To"),
        "env:Sender wsa:InvalidAddressingHeader wsa:InvalidCardinality",
        400,
    ),
    (
        faults.only_anonymous(),
        "env:Sender wsa:InvalidAddressingHeader wsa:OnlyAnonymousAddressSupported",
        400,
    ),
    (
        faults.duplicate_message(),
        "env:Sender wsa:InvalidAddressingHeader wsa:DuplicateMessageID",
        400,
    ),
    (faults.over_limit(), "env:Sender", 413),
    (faults.unsupported_media(), "env:Sender", 415),
    (faults.too_many_requests(3), "env:Sender", 429),
    (faults.unavailable(), "env:Receiver", 503),
    (faults.defect("0042"), "env:Receiver", 500),
]


@pytest.mark.parametrize(("fault", "codes", "status"), ROWS, ids=lambda v: str(v)[:60])
def test_each_row_is_written_as_it_says(fault: Fault, codes: str, status: int) -> None:
    assert fault.status == status
    root = xml.parse(soap.write_fault(fault, message_id="1", relates_to="urn:x:2"))
    values = [element.text for element in root.iterfind(".//{*}Code//{*}Value")]
    assert " ".join(value or "" for value in values) == codes
    reason = root.find(".//{*}Reason/{*}Text")
    assert reason is not None
    assert reason.text == fault.reason
    for prefix in {code.partition(":")[0] for code in codes.split()}:
        assert root.nsmap[prefix] == xml.NAMESPACES[prefix]


def test_upgrade_and_not_understood_say_their_names() -> None:
    root = xml.parse(soap.write_fault(faults.version_mismatch(), message_id="1"))
    supported = root.find(".//{*}SupportedEnvelope")
    assert supported is not None
    prefix, _, name = (supported.get("qname") or "").partition(":")
    assert (supported.nsmap[prefix], name) == (xml.NAMESPACES["env"], "Envelope")

    names = (("urn:x?a&b", "h"), ("", "k"))
    root = xml.parse(soap.write_fault(faults.must_understand(names), message_id="1"))
    found = []
    for element in root.iterfind(".//{*}NotUnderstood"):
        prefix, _, name = (element.get("qname") or "").rpartition(":")
        found.append((element.nsmap[prefix] if prefix else "", name))
    assert tuple(found) == names


def test_retry_after_goes_with_busy_and_too_many() -> None:
    assert dict(faults.too_many_requests(7).headers) == {"Retry-After": "7"}
    assert "Retry-After" in dict(faults.unavailable().headers)


def test_a_profile_may_want_another_status_for_sender_faults() -> None:
    """Clients built on CXF show nothing of a fault that comes with 400."""
    assert faults.only_anonymous().status_for(500) == 500
    assert faults.only_anonymous().status_for(400) == 400
    assert faults.over_limit().status_for(500) == 413
    assert faults.unavailable().status_for(400) == 503


def _made(kind: type[errors.Refusal]) -> errors.Refusal:
    return kind("SECRET-VALUE")


@pytest.mark.parametrize("kind", errors.kinds(), ids=lambda kind: kind.__name__)
def test_every_kind_of_refusal_has_a_fault(kind: type[errors.Refusal]) -> None:
    fault = faults.fault_of(_made(kind))
    assert fault.status in (400, 413, 503)
    assert "SECRET" not in str(fault)
    assert "SECRET" not in soap.write_fault(fault, message_id="1").decode()


def test_not_there_and_not_yours_are_one_answer() -> None:
    """G8."""
    kinds = (
        errors.UnknownPatient, errors.UnknownDocument, errors.NotFound, errors.NotOwner,
        errors.NotPermitted,
    )  # fmt: skip
    assert len({soap.write_fault(faults.fault_of(_made(k)), message_id="1") for k in kinds}) == 1


@pytest.mark.parametrize(
    ("check", "subcode"),
    [
        ("security", "wsse:InvalidSecurity"),
        ("token", "wsse:InvalidSecurityToken"),
        ("unsupported-token", "wsse:UnsupportedSecurityToken"),
        ("algorithm", "wsse:UnsupportedAlgorithm"),
        ("signature", "wsse:FailedCheck"),
        ("authentication", "wsse:FailedAuthentication"),
        ("expired", "wsu:MessageExpired"),
        ("something new", "wsse:FailedAuthentication"),
    ],
)
def test_each_check_of_an_assertion_has_its_subcode(check: str, subcode: str) -> None:
    refusal = errors.Unauthenticated("no", check=check, log="SIG-WRAP", rule="B-01")
    fault = faults.fault_of(refusal)
    assert (fault.code, fault.subcodes, fault.status) == ("env:Sender", (subcode,), 400)
    assert (fault.log, fault.rule) == ("SIG-WRAP", "B-01")

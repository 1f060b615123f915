"""Levels of XAdES: T, C, X, X-L and A, each with what goes wrong there.

Three time-stamp authorities follow each other: the first one ends in August 2026, the second one a
year later, the third one in 2030.
"""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography.x509 import ReasonFlags
from lxml import etree

from gateway.cli.demo_authority import Issued
from gateway.hpki.xades.names import DS, EXCLUSIVE, XADES, XADES141
from tests import pki, xades, xades_levels
from tests.xades import INVALID, PDF, UNVERIFIABLE, VERIFIED, Tree, judge, reasons, the

NEXT, THIRD = datetime(2026, 7, 1, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)
SOON, LATE, LATEST = (
    datetime(2026, 7, 15, tzinfo=UTC),
    datetime(2027, 6, 1, tzinfo=UTC),
    datetime(2029, 6, 1, tzinfo=UTC),
)
FORMS: dict[str, Callable[[], xades.Made]] = {
    "enveloped": lambda: xades.enveloped(etree.fromstring("<a><b>紹介状</b></a>")),
    "enveloping": lambda: xades.enveloping(PDF),
    "element": lambda: xades.enveloping(etree.fromstring("<a xml:lang='ja'>紹介状</a>")),
    "beside": lambda: xades.beside(
        etree.fromstring('<r xmlns:u="urn:u" xml:lang="ja"><p Id="A">処方</p></r>'), "A"
    ),
    "dispensing": lambda: xades.dispensing()[1],
}


@cache
def authority(number: int) -> Issued:
    ends = {1: datetime(2026, 8, 1, tzinfo=UTC), 2: datetime(2027, 8, 1, tzinfo=UTC),
            3: datetime(2030, 8, 1, tzinfo=UTC)}[number]  # fmt: skip
    return pki.stamper(pki.hierarchy().tsa_root, serial=10 + number, until=ends)


def archived(made: xades.Made | None = None, *, again: bool = False) -> xades.Made:
    """T by the first authority, X-L, A by the second one, and perhaps by the third one."""
    made = made or xades.enveloping(PDF)
    xades.stamp(made, tsa=authority(1))
    xades_levels.values(made)
    xades_levels.archive(made, NEXT, authority(2))
    if again:
        xades_levels.archive(made, THIRD, authority(3))
    return made


def stamps(made: xades.Made) -> list[Tree]:
    return [one for one in made.unsigned if "TimeStamp" in one.tag and "Data" not in one.tag]


# --- A ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("newer", [True, False])
@pytest.mark.parametrize("method", [None, EXCLUSIVE])
@pytest.mark.parametrize("form", FORMS)
def test_an_archive_stamp_over_every_form(form: str, method: str | None, newer: bool) -> None:
    made = FORMS[form]()
    xades.stamp(made, tsa=authority(1))
    xades_levels.values(made)
    xades_levels.archive(made, NEXT, authority(2), newer=newer, method=method)
    report = judge(made, at=LATE)
    assert reasons(report) == ""
    (one,) = report.signatures
    assert (one.format, one.proven) == ("XAdES-A", pki.SIGNED)
    assert [c.name for c in one.checks].count("archive-time-stamp") == 1


@pytest.mark.parametrize("newer", [True, False])
def test_an_archive_stamp_over_files(newer: bool) -> None:
    for form in (xades.detached, xades.manifest):
        made = form({"a.pdf": PDF})
        xades.stamp(made, tsa=authority(1))
        xades_levels.archive(made, NEXT, authority(2), newer=newer)
        assert reasons(judge(made, {"a.pdf": PDF}, at=LATE)) == ""
        assert judge(made, {"a.pdf": b"another"}, at=LATE).indication is INVALID
        assert judge(made, at=LATE).indication is UNVERIFIABLE


def test_the_two_forms_of_the_archive_stamp_are_not_over_the_same() -> None:
    """The older one leaves out what a reference already signed (TS 101 903 1.3.2 7.7.1)."""
    for newer in (True, False):
        made = xades.enveloping(PDF)
        xades.stamp(made)
        content = xades_levels.archive_input(made, newer=not newer)
        xades_levels.archive(made, NEXT, newer=newer, content=content)
        assert "archive-time-stamp: it stamps something else" in reasons(judge(made, at=LATE))


def test_each_archive_stamp_is_judged_at_the_time_of_the_next_one() -> None:
    made = archived(again=True)
    report = judge(made, at=LATEST)
    assert reasons(report) == ""
    assert report.signatures[0].proven == pki.SIGNED
    checks = [c.name for c in report.signatures[0].checks]
    assert checks.count("archive-time-stamp") == 2
    assert reasons(judge(archived(), at=LATE)) == ""
    assert "its certificate has ended since" in reasons(judge(archived(), at=LATEST))
    plain = xades.enveloping(PDF)
    xades.stamp(plain, tsa=authority(1))
    assert reasons(judge(plain, at=SOON)) == ""
    report = judge(plain, at=LATE)
    assert report.indication is UNVERIFIABLE
    assert "its certificate has ended since" in reasons(report)


def test_an_authority_that_was_compromised_after_the_archive_stamp_does_no_harm() -> None:
    here = pki.hierarchy()

    def lists(moment: datetime):
        revoked = [(11, moment, ReasonFlags.key_compromise)]
        return here.crl(), here.sarl, here.crl(revoked, issuer=here.tsa_root, days=3650)

    plain = xades.enveloping(PDF)
    xades.stamp(plain, tsa=authority(1))
    for moment, alone, together in (
        (NEXT + timedelta(days=1), INVALID, VERIFIED),
        (NEXT - timedelta(days=1), INVALID, INVALID),
    ):
        assert judge(plain, at=SOON, lists=lists(moment)).indication is alone
        assert judge(archived(), at=SOON, lists=lists(moment)).indication is together


def test_an_archive_stamp_alone_proves_when_the_signature_was_there() -> None:
    ends = pki.cards()["ends after signing"]
    made = xades.enveloping(PDF, card=ends)
    xades_levels.archive(made, pki.SIGNED + timedelta(days=1))
    report = judge(made)
    assert reasons(report) == ""
    assert report.signatures[0].proven == pki.SIGNED + timedelta(days=1)
    late = xades.enveloping(PDF, card=ends)
    xades_levels.archive(late, pki.SIGNED + timedelta(days=20))
    assert "had expired" in reasons(judge(late))


def test_validation_data_of_a_stamp_may_come_with_it() -> None:
    here = pki.hierarchy()
    without = (here.crl(), here.sarl)
    made = archived()
    report = judge(made, at=LATE, lists=without)
    assert report.indication is UNVERIFIABLE
    assert "no usable revocation list tells whether its authority" in reasons(report)
    xades_levels.validation_data(made, [here.tsa_root], [xades_levels.der(here.tsa_crl)])
    assert reasons(judge(made, at=LATE, lists=without)) == ""
    assert reasons(judge(made, at=LATE, lists=())) == ""


def _certificate_exchanged(made: xades.Made) -> None:
    found = made.unsigned.findall(f"{XADES}CertificateValues/*")
    found[0].text = xades.b64(pki.rogue().signing.der)


def _values_removed(made: xades.Made) -> None:
    made.unsigned.remove(the(made.unsigned, f"{XADES}CertificateValues"))


def _lists_added(made: xades.Made) -> None:
    inner = the(made.unsigned, f"{XADES}RevocationValues/{XADES}CRLValues")
    inner.append(deepcopy(inner[0]))


def _property_before(made: xades.Made) -> None:
    made.unsigned.insert(1, etree.Element("{urn:x}anything"))


def _space_in_the_value(made: xades.Made) -> None:
    made.value.text = f" {made.value.text}"


def _tokens_swapped(made: xades.Made) -> None:
    first, second = (the(one, f"{XADES}EncapsulatedTimeStamp") for one in stamps(made)[-2:])
    first.text, second.text = second.text, first.text


def _stamps_swapped(made: xades.Made) -> None:
    made.unsigned.append(stamps(made)[-2])


def _of_another_signature(made: xades.Made) -> None:
    other = archived(xades.enveloping(PDF + b" "), again=True)
    made.unsigned.replace(stamps(made)[-1], stamps(other)[-1])


def _signature_stamp_after(made: xades.Made) -> None:
    made.unsigned.append(stamps(made)[0])


def _first_removed(made: xades.Made) -> None:
    made.unsigned.remove(stamps(made)[1])


def _method(algorithm: str) -> Callable[[xades.Made], None]:
    def attack(made: xades.Made) -> None:
        named = etree.Element(f"{DS}CanonicalizationMethod", Algorithm=algorithm)
        stamps(made)[-1].insert(0, named)

    return attack


def _damaged(made: xades.Made) -> None:
    the(stamps(made)[-1], f"{XADES}EncapsulatedTimeStamp").text = "AAAA"


def _object_added(made: xades.Made) -> None:
    etree.SubElement(made.signature, f"{DS}Object").text = "x"


def _named_objects(made: xades.Made) -> None:
    stamps(made)[-1].insert(0, etree.Element(f"{XADES}Include", URI="#Sig-Object"))


ATTACKS: dict[Callable[[xades.Made], None], str] = {
    _certificate_exchanged: "archive-time-stamp: it stamps something else",
    _values_removed: "archive-time-stamp: it stamps something else",
    _lists_added: "archive-time-stamp: it stamps something else",
    _property_before: "archive-time-stamp: it stamps something else",
    _space_in_the_value: "time-stamp: it stamps something else",
    _tokens_swapped: "archive-time-stamp: it stamps something else",
    _stamps_swapped: "archive-time-stamp: it stamps something else",
    _of_another_signature: "archive-time-stamp: it stamps something else",
    _signature_stamp_after: "structure: the time-stamps are not in the order",
    _first_removed: "archive-time-stamp: it stamps something else",
    _method(EXCLUSIVE): "archive-time-stamp: it stamps something else",
    _method("http://www.w3.org/TR/1999/REC-xpath-19991116"): "archive-time-stamp: the token cannot",
    _damaged: "archive-time-stamp: the token cannot be read",
    _object_added: "something that is not signed",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.__qualname__.split(".")[0])
def test_attacks_on_archive_stamps(attack: Callable[[xades.Made], None]) -> None:
    made = archived(again=True)
    attack(made)
    report = judge(made, at=LATEST)
    assert report.indication is INVALID
    assert ATTACKS[attack] in reasons(report)


def test_an_archive_stamp_that_is_older_than_what_it_is_over_is_refused() -> None:
    made = xades.enveloping(PDF)
    xades.stamp(made)
    xades_levels.archive(made, pki.SIGNED - timedelta(days=1))
    report = judge(made)
    assert report.indication is INVALID
    assert "time-stamp: its time is later" in reasons(report)


def test_what_stands_behind_the_last_archive_stamp_may_change() -> None:
    made = archived()
    etree.SubElement(made.unsigned, f"{XADES141}TimeStampValidationData")
    assert reasons(judge(made, at=LATE)) == ""


def test_stamps_that_name_what_they_are_over_are_not_read() -> None:
    made = archived()
    _named_objects(made)
    report = judge(made, at=LATE)
    assert report.indication is UNVERIFIABLE
    assert "Include" in reasons(report)


def test_a_crowd_of_stamps_is_not_looked_at() -> None:
    made = xades.enveloping(PDF)
    for _ in range(11):
        xades.stamp(made)
    assert "more time-stamps" in reasons(judge(made))


# --- X-L --------------------------------------------------------------------------------------


def test_the_level_is_the_one_that_the_verdict_rests_on() -> None:
    here = pki.hierarchy()
    bare = xades.stamped(xades.enveloping(PDF))
    xades_levels.values(bare)
    assert judge(bare, lists=(here.tsa_crl,)).signatures[0].format == "XAdES-T"
    made = xades.stamped(xades.enveloping(PDF))
    lists = [xades_levels.der(one) for one in (here.crl(), here.sarl)]
    xades_levels.refer(made, [one.der for one in (here.signing, here.root)], lists)
    xades_levels.values(made)
    enclosed = judge(made, lists=(here.tsa_crl,))
    assert reasons(enclosed) == ""
    assert enclosed.signatures[0].format == "XAdES-X-L"
    newer = here.crl(since=pki.SIGNED - timedelta(hours=1))
    own = judge(made, lists=(newer, here.sarl, here.tsa_crl))
    assert own.signatures[0].format == "XAdES-C"  # a newer list of the verifier's own decided
    xades_levels.archive(made, pki.SIGNED + timedelta(days=1))
    assert judge(made, lists=(here.tsa_crl,)).signatures[0].format == "XAdES-A"


@pytest.mark.parametrize(
    ("certificates", "lists", "verdict", "reason"),
    [
        (0, 2, INVALID, "issuer is unknown"),
        (2, 1, UNVERIFIABLE, "no usable revocation list for an authority"),
        (2, 0, UNVERIFIABLE, "there is no usable revocation list"),
    ],
)
def test_values_that_are_missing_are_missed(certificates, lists, verdict, reason) -> None:
    here = pki.hierarchy()
    made = xades.stamped(xades.enveloping(PDF))
    xades_levels.values(
        made,
        [here.signing, here.root][:certificates],
        [xades_levels.der(one) for one in (here.crl(), here.sarl)[:lists]],
    )
    trust = pki.hierarchy().trust((here.tsa_crl,))
    bare = type(trust)(anchors=trust.anchors, crls=trust.crls)
    report = judge(made, trust=bare)
    assert report.indication is verdict
    assert reason in reasons(report)


def test_enclosed_values_are_never_trusted() -> None:
    """A whole authority with its own root and lists came along; nobody pinned it."""
    there = pki.rogue()
    made = xades.stamped(xades.enveloping(PDF, card=there.card()))
    lists = [xades_levels.der(one) for one in (there.crl(), there.sarl)]
    xades_levels.values(made, [there.signing, there.root], lists)
    assert judge(made).indication is INVALID


# --- C and X ----------------------------------------------------------------------------------


def referring(*, newer: bool = False) -> xades.Made:
    here = pki.hierarchy()
    made = xades.enveloping(PDF)
    xades.stamp(made, tsa=authority(1))
    lists = [xades_levels.der(one) for one in (here.crl(), here.sarl)]
    xades_levels.refer(made, [here.signing.der, here.root.der], lists, newer=newer)
    return made


@pytest.mark.parametrize("newer", [True, False])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("method", [None, EXCLUSIVE])
def test_references_and_stamps_over_them(newer: bool, whole: bool, method: str | None) -> None:
    made = referring(newer=newer)
    report = judge(made)
    assert reasons(report) == ""
    assert report.signatures[0].format == "XAdES-C"
    xades_levels.stamp_references(made, NEXT, whole=whole, newer=newer, method=method)
    report = judge(made, at=SOON)
    assert reasons(report) == ""
    assert report.signatures[0].format == "XAdES-X"
    the(made.unsigned, f"{XADES}CompleteRevocationRefs").set("Id", "changed")
    assert "references-time-stamp: it stamps something else" in reasons(judge(made, at=SOON))


def test_what_is_referred_to_must_be_at_hand() -> None:
    here = pki.hierarchy()
    for certificates, lists in (
        ([here.signing.der, pki.rogue().root.der], []),
        ([here.signing.der], [xades_levels.der(here.crl(since=pki.SIGNED - timedelta(30)))]),
    ):
        made = xades.stamped(xades.enveloping(PDF))
        xades_levels.refer(made, certificates, lists)
        report = judge(made)
        assert report.indication is UNVERIFIABLE
        assert "references: a certificate or revocation list" in reasons(report)


def test_a_stamp_over_signature_and_references_carries_the_older_one() -> None:
    """The first authority has ended; only the stamp that is also over the signature helps."""
    for whole, verdict in ((True, VERIFIED), (False, UNVERIFIABLE)):
        made = referring()
        element = xades_levels.stamp_references(made, NEXT, whole=whole)
        assert element is not None
        assert judge(made, at=LATE).indication is verdict


def test_stamps_over_references_stand_before_archive_stamps() -> None:
    made = referring()
    element = xades_levels.stamp_references(made, NEXT)
    xades_levels.archive(made, NEXT + timedelta(days=1), authority(2))
    assert reasons(judge(made, at=LATE)) == ""
    made.unsigned.append(element)
    assert "the time-stamps are not in the order" in reasons(judge(made, at=LATE))

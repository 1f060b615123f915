"""Archive time-stamps of CAdES before version 3, with what goes wrong there.

Three time-stamp authorities follow each other, as in `test_xades_levels`.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import pytest
from asn1crypto import cms, core
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.hpki import cades_archive
from gateway.hpki.cades_elements import parts, read
from gateway.hpki.verify import verify
from gateway.model.signature import Indication, SignatureReport
from tests import cades, pki
from tests.cades import TEXT, archived, archived_whole, attribute, signed_data, signer_info
from tests.hpki import test_cades
from tests.hpki.test_cades import PHARMACIST, reasons
from tests.hpki.test_fuzz_cms import encoded, tree
from tests.hpki.test_xades_levels import LATE, LATEST, NEXT, SOON, THIRD, authority

HERE = pki.hierarchy()
VERIFIED, INVALID, UNVERIFIABLE = (
    Indication.VERIFIED,
    Indication.INVALID,
    Indication.UNVERIFIABLE,
)
V1, V2 = cades_archive.ARCHIVE_V1, cades_archive.ARCHIVE_V2
SOMETHING_ELSE = "archive-time-stamp: it stamps something else than this signature"


def judge(content: bytes | cms.ContentInfo, **kind: object) -> SignatureReport:
    kind.setdefault("at", LATE)
    octets = content if isinstance(content, bytes) else content.dump()
    return verify(octets, kind.pop("policy", None) or pki.policy(), **kind)


def der(crl: object) -> bytes:
    return crl.crl.public_bytes(Encoding.DER)


def stamped(content: bytes | None = TEXT) -> cms.ContentInfo:
    """T by the first authority, which ends in August 2026; with values."""
    info = signer_info(TEXT, pki.doctor(), stamp=HERE.stamp(tsa=authority(1)))
    cades.add(info, *cades.values_of([HERE.root], [der(HERE.sarl)]))
    return signed_data([info], content, crls=[der(HERE.crl())])


def whole(content: bytes | None = TEXT, kind: str = V2, *, tagged: bool = True) -> cms.ContentInfo:
    """And A by the second one."""
    return cms.ContentInfo.load(_whole(content, kind, tagged))


@cache
def _whole(content: bytes | None, kind: str, tagged: bool) -> bytes:
    beside = TEXT if content is None else b""
    stamp = HERE.stamp(NEXT, authority(2))
    return archived_whole(stamped(content), stamp, beside=beside, kind=kind, tagged=tagged).dump()


def first(object_: cms.ContentInfo) -> cms.SignerInfo:
    return object_["content"]["signer_infos"][0]


def tokens(object_: cms.ContentInfo) -> list[bytes]:
    return [
        value
        for kind, _, value in cades_archive.attributes(first(object_))
        if kind in cades_archive.ARCHIVES
    ]


# --- versions 1 and 2 ---------------------------------------------------------------------------


@pytest.mark.parametrize("kinds", [(V2, V2), (V2, "3"), ("3", V2), ("3", "3")])
def test_two_of_one_second_are_told_apart_by_what_they_are_over(kinds: tuple[str, str]) -> None:
    """Attributes are a set, so that where they stand tells nothing."""
    for _ in range(2):
        object_ = stamped()
        for kind in kinds:
            stamp = HERE.stamp(NEXT, authority(2))
            object_ = (
                archived(object_, stamp)
                if kind == "3"
                else archived_whole(object_, stamp, kind=kind)
            )
        assert reasons(judge(object_)) == ""


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("kind", [V1, V2])
def test_a_stamp_over_everything_carries_the_older_one(kind: str, tagged: bool) -> None:
    assert judge(stamped()).indication is UNVERIFIABLE
    report = judge(whole(kind=kind, tagged=tagged))
    assert reasons(report) == ""
    (one,) = report.signatures
    assert (one.format, one.proven, one.covered) == ("CAdES-A", pki.SIGNED, TEXT)
    assert [check.name for check in one.checks].count("archive-time-stamp") == 1


def test_the_content_beside_the_signature_is_stamped_too() -> None:
    object_ = whole(content=None)
    report = judge(object_, detached={"letter": TEXT})
    assert reasons(report) == ""
    assert report.signatures[0].covered == TEXT
    assert judge(object_).indication is UNVERIFIABLE
    assert judge(object_, detached={"letter": TEXT + b" "}).indication is INVALID


def test_version_1_whose_input_cannot_be_told_is_unverifiable() -> None:
    """With the content beside it, and as RFC 3126 had it: nobody can say what was stamped."""
    before = archived_whole(
        stamped(), HERE.stamp(NEXT, authority(2)), kind=V1, beside=b"as RFC 3126 had it"
    )
    for object_, beside in ((whole(content=None, kind=V1), {"letter": TEXT}), (before, {})):
        report = judge(object_, detached=beside)
        assert report.indication is UNVERIFIABLE
        assert "of version 1 is over cannot be told" in reasons(report)


def test_without_a_signature_stamp_it_tells_when_the_signature_was_there() -> None:
    info = signer_info(TEXT, pki.doctor())
    object_ = archived_whole(signed_data([info]), HERE.stamp(pki.SIGNED))
    report = judge(object_, at=pki.NOW)
    assert reasons(report) == ""
    assert report.signatures[0].proven == pki.SIGNED


@pytest.mark.parametrize("same", [True, False])
def test_each_is_judged_at_the_time_of_the_next_one(same: bool) -> None:
    """The third one as another attribute, or as another value of the attribute that is there."""
    object_ = archived_whole(whole(), HERE.stamp(THIRD, authority(3)))
    if same:
        joined = attribute(V2, *(core.Any.load(token) for token in tokens(object_)))
        _without(object_, V2)
        cades.add(first(object_), joined)
    report = judge(cms.ContentInfo.load(object_.dump()), at=LATEST)
    assert reasons(report) == ""
    assert report.signatures[0].proven == pki.SIGNED
    assert "its certificate has ended since" in reasons(judge(whole(), at=LATEST))


@pytest.mark.parametrize("older", [V1, V2, "3"])
@pytest.mark.parametrize("newer", [V2, "3"])
def test_versions_follow_each_other(older: str, newer: str) -> None:
    object_ = stamped()
    for kind, moment, number in ((older, NEXT, 2), (newer, THIRD, 3)):
        stamp = HERE.stamp(moment, authority(number))
        object_ = (
            archived(object_, stamp) if kind == "3" else archived_whole(object_, stamp, kind=kind)
        )
    report = judge(object_, at=LATEST)
    assert reasons(report) == ""
    assert report.signatures[0].format == ("CAdES-LTA" if "3" in (older, newer) else "CAdES-A")


def test_the_second_signer_has_an_archive_stamp_of_its_own() -> None:
    two = signer_info(TEXT, PHARMACIST, stamp=HERE.stamp(tsa=authority(1)))
    object_ = cms.ContentInfo.load(test_cades._two(two))
    stamp = HERE.stamp(NEXT, authority(2))
    for _ in range(2):  # the library sorts the signers anew, by their encoding
        infos = object_["content"]["signer_infos"]
        bare = [place for place, one in enumerate(infos) if len(one["unsigned_attrs"]) == 1]
        object_ = archived_whole(object_, stamp, place=bare[0])
    assert reasons(judge(object_)) == ""
    assert [one.format for one in judge(object_).signatures] == ["CAdES-A"] * 2
    assert reasons(judge(_turned(object_, _INFOS))) == ""  # each with its own, wherever it stands


def test_what_is_encoded_in_ber_is_stamped_as_it_is() -> None:
    """Indefinite lengths around everything, and the content in two pieces (X.690 8.1.3.6)."""

    def loose(content: bytes) -> bytes:
        return b"\x24\x80" + b"".join(core.OctetString(one).dump() for one in (
            content[:4], content[4:])) + b"\0\0"  # fmt: skip

    signed = stamped()["content"]
    inner = b"\x30\x80" + cms.ContentType("data").dump() + b"\xa0\x80" + loose(TEXT) + bytes(4)
    info = first(stamped())
    covered = [inner, signed["certificates"].dump(), signed["crls"].dump()]
    covered += [info[part].dump() for part in list(info) if info[part]]
    token = HERE.stamp(NEXT, authority(2))(b"".join(covered))
    cades.add(info, attribute(V2, cms.ContentInfo.load(token)))
    head = [signed[part].dump() for part in ("version", "digest_algorithms")]
    infos = b"\x31\x80" + info.dump() + b"\0\0"
    data = b"\x30\x80" + b"".join((*head, *covered[:3], infos)) + b"\0\0"
    whole = b"\x30\x80" + cms.ContentType("signed_data").dump() + b"\xa0\x80" + data + bytes(4)
    report = judge(whole)
    assert reasons(report) == ""
    assert report.signatures[0].covered == TEXT


def test_lists_may_come_inside_of_a_token_that_is_stamped_itself() -> None:
    """Validation data of the older authority, in the older token (TS 101 733 6.4.1)."""
    here = (HERE.crl(), HERE.sarl)
    plain = archived_whole(whole(), HERE.stamp(THIRD, authority(3)))
    report = judge(plain, at=LATEST, policy=pki.policy(here))
    assert "no usable revocation list tells whether its authority" in reasons(report)
    object_ = whole()
    token = cms.ContentInfo.load(tokens(object_)[0])
    crl = cms.CertificateList.load(der(HERE.tsa_crl))
    token["content"]["crls"] = [cms.RevocationInfoChoice("crl", crl)]
    _replace(object_, V2, token.dump())
    again = archived_whole(object_, HERE.stamp(THIRD, authority(3)))
    assert reasons(judge(again, at=LATEST, policy=pki.policy(here))) == ""


def _replace(object_: cms.ContentInfo, kind: str, value: bytes) -> None:
    info = first(object_)
    kept = [one for one in info["unsigned_attrs"] if one["type"].dotted != kind]
    info["unsigned_attrs"] = cms.CMSAttributes([*kept, attribute(kind, core.Any.load(value))])


def _without(object_: cms.ContentInfo, kind: str) -> None:
    info = first(object_)
    kept = [one for one in info["unsigned_attrs"] if one["type"].dotted != kind]
    info["unsigned_attrs"] = cms.CMSAttributes(kept)


def _attribute_added(object_: cms.ContentInfo) -> None:
    cades.add(first(object_), attribute("2.999.1", core.Integer(1)))


def _attribute_before(object_: cms.ContentInfo) -> None:
    info = first(object_)
    held = [attribute("2.999.1", core.Integer(1)), *info["unsigned_attrs"]]
    info["unsigned_attrs"] = cms.CMSAttributes(held)


def _certificate_added(object_: cms.ContentInfo) -> None:
    signed = object_["content"]
    more = cms.CertificateChoices("certificate", pki.parsed(PHARMACIST))
    signed["certificates"] = [*signed["certificates"], more]


def _list_exchanged(object_: cms.ContentInfo) -> None:
    crl = cms.CertificateList.load(der(HERE.crl(since=pki.SIGNED - timedelta(hours=1))))
    object_["content"]["crls"] = [cms.RevocationInfoChoice("crl", crl)]


def _signature_stamp_removed(object_: cms.ContentInfo) -> None:
    _without(object_, cades_archive.SIGNATURE_STAMP)


def _values_removed(object_: cms.ContentInfo) -> None:
    _without(object_, "1.2.840.113549.1.9.16.2.24")


def _of_another_signature(object_: cms.ContentInfo) -> None:
    info = signer_info(TEXT, pki.doctor(), stamp=HERE.stamp(pki.AFTER, authority(1)))
    other = archived_whole(signed_data([info]), HERE.stamp(NEXT, authority(2)))
    _replace(object_, V2, tokens(other)[0])


def _version_3_in_its_place(object_: cms.ContentInfo) -> None:
    (token,) = tokens(object_)
    _without(object_, V2)
    cades.add(first(object_), attribute(cades_archive.ARCHIVE, core.Any.load(token)))


def _damaged(object_: cms.ContentInfo) -> None:
    _replace(object_, V2, core.OctetString(b"no token").dump())


ATTACKS: dict[Callable[[cms.ContentInfo], None], str] = {
    _attribute_added: SOMETHING_ELSE,
    _attribute_before: SOMETHING_ELSE,
    _certificate_added: SOMETHING_ELSE,
    _list_exchanged: SOMETHING_ELSE,
    _signature_stamp_removed: SOMETHING_ELSE,
    _values_removed: SOMETHING_ELSE,
    _of_another_signature: SOMETHING_ELSE,
    _version_3_in_its_place: "archive-time-stamp: the token cannot be read",
    _damaged: "archive-time-stamp: the token cannot be read",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.__name__)
def test_attacks_on_a_stamp_over_everything(attack: Callable[[cms.ContentInfo], None]) -> None:
    object_ = whole()
    attack(object_)
    report = judge(object_)
    assert report.indication is INVALID
    assert ATTACKS[attack] in reasons(report)


_SIGNED = (0, 1, 0)
_CERTIFICATES, _INFOS = (*_SIGNED, 3), (*_SIGNED, -1)
_UNSIGNED = (*_INFOS, 0, 6)


def _turned(object_: cms.ContentInfo, path: tuple[int, ...]) -> bytes:
    """The set at that place the other way round; the library would sort it."""
    nodes = tree(object_.dump())
    held = nodes
    for place in path:
        held = held[place][3]
    held.reverse()
    return encoded(nodes)


@pytest.mark.parametrize("path", [_CERTIFICATES, _UNSIGNED])
def test_the_order_of_what_is_stamped_counts(path: tuple[int, ...]) -> None:
    assert judge(_turned(stamped(), path), at=SOON).passed
    report = judge(_turned(whole(), path))
    assert report.indication is INVALID
    assert SOMETHING_ELSE in reasons(report)


def test_no_octet_can_be_changed_unseen() -> None:
    """One octet in every value of the encoding, archived or beside: none of them verifies."""
    nodes = tree(whole().dump())
    seen = verified = 0
    for holder, place in _leaves(nodes):
        kind, method, tag, value = holder[place]
        holder[place] = (kind, method, tag, bytes([value[0] ^ 1]) + value[1:])
        report = judge(encoded(nodes))
        holder[place] = (kind, method, tag, value)
        seen += 1
        if report.passed:
            verified += 1
            assert report.signatures[0].covered == TEXT
    assert seen > 50
    # What CMS leaves unsigned and nobody reads: versions, digestAlgorithms, the token's own.
    assert verified < seen / 20


def _leaves(nodes: list[object]) -> list[tuple[list[object], int]]:
    """Primitive values with contents; in a long list every fourth is enough."""
    found: list[tuple[list[object], int]] = []

    def walk(held: list[object]) -> None:
        for place, (_, _, _, value) in enumerate(held):
            if isinstance(value, list):
                walk(value)
            elif value:
                found.append((held, place))

    walk(nodes)
    return found[::4]


def test_elements_stand_as_they_are_in_the_file() -> None:
    object_ = whole()
    found = read(object_.dump(), 0)
    signed, info = object_["content"], first(object_)
    assert bytes(found.content) == signed["encap_content_info"].dump()
    assert [bytes(one) for one in found.sets] == [
        signed[part].dump() for part in ("certificates", "crls")
    ]
    assert b"".join(found.unsigned) == info["unsigned_attrs"].contents
    long_tag = b"\xbf\x81\x01\x03\x02\x01\x05"  # a tag of three octets
    assert [bytes(one) for one in parts(memoryview(b"\x30\x09" + long_tag + b"\x05\x00"))] == [
        long_tag,
        b"\x05\x00",
    ]


def test_the_wrappings_hold_archives_too() -> None:
    content = whole().dump()
    assert judge(test_cades._pem(content)).passed

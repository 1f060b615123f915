"""Archive time-stamps of CAdES, version 3 with each of its indexes; the forms C and X."""

from datetime import timedelta

import pytest
from asn1crypto import cms, core

from gateway.hpki import cades_archive
from gateway.model.signature import Indication
from tests import cades, pki
from tests.cades import TEXT, archived, archived_whole, attribute, signed_data, signer_info
from tests.hpki.test_cades import reasons
from tests.hpki.test_cades_archive import (
    INVALID,
    UNVERIFIABLE,
    V2,
    VERIFIED,
    _attribute_added,
    _replace,
    _values_removed,
    _without,
    der,
    first,
    judge,
    stamped,
    tokens,
    whole,
)
from tests.hpki.test_xades_levels import LATEST, NEXT, SOON, THIRD, authority

HERE = pki.hierarchy()

# --- version 3, with each of its indexes ---------------------------------------------------------


@pytest.mark.parametrize("version", [1, 2, 3])
def test_every_index_is_read(version: int) -> None:
    object_ = archived(stamped(), HERE.stamp(NEXT, authority(2)), version=version)
    report = judge(object_)
    assert reasons(report) == ""
    assert report.signatures[0].format == "CAdES-LTA"
    _attribute_added(object_)  # what came later is in no index
    assert reasons(judge(cms.ContentInfo.load(object_.dump()))) == ""
    _values_removed(object_)
    report = judge(object_)
    assert report.indication is INVALID
    assert "archive-time-stamp: the token cannot be read" in reasons(report)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_an_index_that_leaves_a_stamp_out_is_refused(version: int) -> None:
    def shorter(index: cades_archive.Index) -> None:
        index["values"] = []

    stamp = HERE.stamp(NEXT, authority(2))
    report = judge(archived(stamped(), stamp, index=shorter, version=version))
    assert report.indication is INVALID
    assert "archive-time-stamp" in reasons(report)


def test_two_indexes_are_refused() -> None:
    object_ = archived(stamped(), HERE.stamp(NEXT, authority(2)))
    token = cms.ContentInfo.load(tokens(object_)[0])
    info = token["content"]["signer_infos"][0]
    held = next(cades_archive.values(info, cades_archive.INDEX))
    cades.add(info, attribute(cades_archive.OLD_INDEXES[1], core.Any.load(held)))
    _replace(object_, cades_archive.ARCHIVE, token.dump())
    assert "archive-time-stamp: the token cannot be read" in reasons(judge(object_))


def test_the_same_stamp_twice_is_one() -> None:
    for object_, kind in ((whole(), V2), (archived(stamped(), HERE.stamp(NEXT, authority(2))),
                                          cades_archive.ARCHIVE)):  # fmt: skip
        (token,) = tokens(object_)
        cades.add(first(object_), attribute(kind, core.Any.load(token)))
        report = judge(cms.ContentInfo.load(object_.dump()))
        assert reasons(report) == ""
        assert [c.name for c in report.signatures[0].checks].count("archive-time-stamp") == 1


# --- C and X --------------------------------------------------------------------------------------


def referring(
    certificates: list[bytes] | None = None, lists: list[bytes] | None = None
) -> cms.SignerInfo:
    info = signer_info(TEXT, pki.doctor(), stamp=HERE.stamp(tsa=authority(1)))
    given = [HERE.signing.der, HERE.root.der] if certificates is None else certificates
    crls = [der(HERE.crl()), der(HERE.sarl)] if lists is None else lists
    return cades.add(info, *cades.references_to(given, crls))


def test_references_must_be_at_hand() -> None:
    report = judge(signed_data([referring()]), at=SOON)
    assert reasons(report) == ""
    assert report.signatures[0].format == "CAdES-C"
    for info in (
        referring([pki.rogue().root.der]),
        referring(lists=[der(HERE.crl(since=pki.SIGNED - timedelta(30)))]),
    ):
        report = judge(signed_data([info]), at=SOON)
        assert report.indication is UNVERIFIABLE
        assert "references: a certificate or revocation list" in reasons(report)


def test_enclosed_lists_that_decide_make_it_long() -> None:
    info = cades.add(referring(), *cades.values_of([HERE.root], [der(HERE.sarl)]))
    object_ = signed_data([info], crls=[der(HERE.crl())])
    report = judge(object_, at=SOON, policy=pki.policy((HERE.tsa_crl,)))
    assert reasons(report) == ""
    assert report.signatures[0].format == "CAdES-X-L"


@pytest.mark.parametrize(
    ("whole_", "verdict"), [(True, VERIFIED), (False, UNVERIFIABLE)], ids=["type 1", "type 2"]
)
def test_stamps_over_references(whole_: bool, verdict: Indication) -> None:
    """The first authority has ended; only the stamp that is also over the signature helps."""
    info = referring()
    cades.stamped_references(info, HERE.stamp(NEXT, authority(2)), whole=whole_)
    object_ = signed_data([info])
    report = judge(object_, at=SOON)
    assert reasons(report) == ""
    assert report.signatures[0].format == "CAdES-X"
    assert "references-time-stamp" in {check.name for check in report.signatures[0].checks}
    assert judge(object_).indication is verdict
    for kind in (cades_archive.CERTIFICATE_REFERENCES, cades_archive.REVOCATION_REFERENCES):
        changed = cms.ContentInfo.load(object_.dump())
        _without(changed, kind)
        assert "references-time-stamp: it stamps something else" in reasons(judge(changed, at=SOON))


@pytest.mark.parametrize("kind", ["2", "3"])
def test_an_archive_stamp_around_stamped_references(kind: str) -> None:
    info = referring()
    cades.stamped_references(info, HERE.stamp(NEXT, authority(2)))
    around = archived if kind == "3" else archived_whole
    object_ = around(signed_data([info]), HERE.stamp(THIRD, authority(3)))
    report = judge(object_, at=LATEST)
    assert reasons(report) == ""
    assert report.signatures[0].proven == pki.SIGNED


def test_references_to_what_we_never_read_leave_it_open() -> None:
    info = signer_info(TEXT, pki.doctor(), stamp=HERE.stamp(tsa=authority(1)))
    ocsp = core.Any.load(bytes.fromhex("3007a105300330013000")[:9])
    cades.add(info, attribute(cades_archive.REVOCATION_REFERENCES, ocsp))
    report = judge(signed_data([info]), at=SOON)
    assert not report.passed

"""The evidence of a verdict is enough to make it again, whatever is trusted by then (SIG-06)."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.errors import Malformed
from gateway.hpki import evidence_file
from gateway.hpki.evidence import rebuild, write_policy
from gateway.hpki.evidence_file import pack, unpack
from gateway.hpki.policy import Retired, SignaturePolicy, Size, Trust
from gateway.hpki.roles import Role
from gateway.hpki.verify import verify
from gateway.model.evidence import Evidence, EvidenceKind
from gateway.model.signature import Indication, SignatureReport
from tests import pki, xades
from tests.xades_levels import der, refer

HERE = pki.hierarchy()


def _dispensing() -> bytes:
    root, made = xades.dispensing()
    xades.stamp(made)
    xades.stamp(xades.countersign(made))
    return xades.written(root)


def late(revoked_at: datetime) -> SignaturePolicy:
    """A policy whose newest list revokes the card, from then on."""
    entry = [(100, revoked_at, pki.x509.ReasonFlags.key_compromise)]
    told = HERE.crl(entry, since=pki.AFTER, days=100)
    return pki.policy((HERE.crl(), told, HERE.sarl, HERE.tsa_crl))


CASES: dict[str, tuple[Callable[[], bytes], SignaturePolicy, Indication]] = {
    "prescription": (pki.prescription, pki.policy(), Indication.VERIFIED),
    "pdf": (pki.pdf, pki.policy(), Indication.VERIFIED),
    "unstamped": (lambda: pki.prescription(stamped=None), pki.policy(
        (HERE.crl(days=90), HERE.crl(issuer=HERE.root, days=90))), Indication.VERIFIED),
    "inside and about": (_dispensing, pki.policy(), Indication.VERIFIED),
    "revoked later": (pki.pdf, late(pki.AFTER), Indication.VERIFIED),
    "dated back": (pki.pdf, late(pki.BEFORE), Indication.INVALID),
    "no list": (pki.pdf, pki.policy(()), Indication.UNVERIFIABLE),
    "nobody trusted": (pki.pdf, SignaturePolicy(trust=Trust()), Indication.INVALID),
    "changed": (lambda: pki.pdf() + b" ", pki.policy(), Indication.INVALID),
}  # fmt: skip


def again(content: bytes, report: SignatureReport) -> SignatureReport:
    return verify(
        content, rebuild(report.evidence), at=report.verified_at, received=report.received
    )


@pytest.mark.parametrize("name", CASES)
def test_the_same_report_from_the_evidence_alone(name: str) -> None:
    make, policy, indication = CASES[name]
    content = make()
    report = verify(content, policy, at=pki.NOW, received=pki.NOW)
    assert report.indication is indication
    made = again(content, report)
    assert made == replace(report, evidence=made.evidence)
    assert again(content, made) == made, "and from the evidence of that"
    for one in report.evidence:
        assert hashlib.sha256(one.content).hexdigest() == one.sha256
    told = report.as_json()["evidence"]
    assert [one["sha256"] for one in told] == [one.sha256 for one in report.evidence]


def test_what_a_signature_refers_to_and_does_not_enclose_is_kept() -> None:
    made, policy = xades.stamped(xades.enveloping(xades.PDF)), pki.policy()
    other = HERE.crl(issuer=HERE.login)  # nothing of the verdict rests on it
    refer(made, [HERE.signing.der, HERE.root.der], [der(other)])
    content = xades.written(made)
    more = replace(policy, trust=policy.trust | Trust(crls=(other,)))
    report = verify(content, more, at=pki.NOW, received=pki.NOW)
    assert report.indication is Indication.VERIFIED
    assert other.sha256 in {one.sha256 for one in report.evidence}
    assert again(content, report).indication is Indication.VERIFIED
    assert verify(content, policy, at=pki.NOW).indication is Indication.UNVERIFIABLE


def test_a_verified_document_keeps_what_was_used_and_no_more() -> None:
    more = pki.policy((*pki.policy().trust.crls, HERE.crl(issuer=HERE.login)))
    used = verify(pki.pdf(), more, at=pki.NOW, received=pki.NOW)
    kinds = [one.kind for one in used.evidence]
    assert kinds.count(EvidenceKind.LIST) == 3
    assert kinds.count(EvidenceKind.POLICY) == kinds.count(EvidenceKind.TOKEN) == 1
    # card, its authority, the root; the stamp's authority and its root
    assert kinds.count(EvidenceKind.CERTIFICATE) == 5
    assert {digest for one in used.signatures for digest in one.evidence} <= {
        one.sha256 for one in used.evidence
    }


def test_an_unsigned_document_has_no_evidence() -> None:
    assert verify(b"<a/>", pki.policy(), at=pki.NOW).evidence == ()


def test_the_policy_in_force_comes_back_whole() -> None:
    trust = pki.policy().trust
    anchor = replace(trust.anchors[0], since=pki.BEFORE, until=pki.NOW, test=True)
    policy = pki.policy(
        trust=replace(
            trust, anchors=(anchor, *trust.anchors[1:]), retired=(Retired("sha1", pki.SIGNED),),
            sizes=(Size(3072, pki.NOW),),
        ),
        accept_test=True, timestamp_required=True, crl_grace=timedelta(hours=3),
        clock_skew=timedelta(seconds=5),
        roles=(Role(text="Pharmacist", japanese="薬剤師", since=pki.BEFORE),),
    )  # fmt: skip
    report = verify(pki.pdf() + b" ", policy, at=pki.NOW)
    found = rebuild(report.evidence)
    assert replace(found, trust=Trust()) == replace(policy, trust=Trust())
    assert found.trust.anchors == policy.trust.anchors
    assert found.trust.retired == policy.trust.retired
    assert found.trust.sizes == policy.trust.sizes
    assert write_policy(found).sha256 == write_policy(policy).sha256
    assert write_policy(pki.policy()).sha256 != write_policy(policy).sha256


def test_a_file_of_evidence_tells_the_same() -> None:
    content = pki.pdf()
    report = verify(content, late(pki.AFTER), at=pki.NOW, received=pki.NOW)
    packed = pack(report.as_json(), report.evidence)
    assert packed == pack(report.as_json(), report.evidence)
    stored, evidence = unpack(packed)
    assert stored == report.as_json()
    assert {one.sha256 for one in evidence} == {one.sha256 for one in report.evidence}
    made = verify(content, rebuild(evidence), at=pki.NOW, received=pki.NOW)
    assert replace(made, evidence=()) == replace(report, evidence=())


def _repacked(change: Callable[[dict[str, bytes]], object]) -> bytes:
    report = verify(pki.pdf(), pki.policy(), at=pki.NOW, received=pki.NOW)
    with zipfile.ZipFile(io.BytesIO(pack(report.as_json(), report.evidence))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in members.items():
            archive.writestr(name, held)
    return target.getvalue()


def _flip(members: dict[str, bytes], folder: str) -> None:
    name = next(name for name in members if name.startswith(folder))
    members[name] = members[name][:-1] + bytes([members[name][-1] ^ 1])


def _own_root(members: dict[str, bytes]) -> None:
    """Another authority is slipped in, with a policy that trusts it."""
    root = pki.rogue().root.der
    digest = hashlib.sha256(root).hexdigest()
    told = json.loads(members["policy.json"])
    told["anchors"].append({**told["anchors"][0], "sha256": digest})
    members["policy.json"] = json.dumps(told).encode()
    members[f"certificates/{digest}.der"] = root


def _large(members: dict[str, bytes]) -> None:
    members["report.json"] += b" " * 2 * 1024 * 1024


def _told(members: dict[str, bytes], key: str, value: object) -> None:
    members["report.json"] = json.dumps({**json.loads(members["report.json"]), key: value}).encode()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda: b"", id="nothing"),
        pytest.param(lambda: b"PK\x03\x04 no zip", id="no ZIP"),
        pytest.param(lambda: _repacked(lambda all: all.pop("report.json")), id="no report"),
        pytest.param(lambda: _repacked(lambda all: all.pop("policy.json")), id="no policy"),
        pytest.param(lambda: _repacked(lambda all: _flip(all, "crls/")), id="a changed list"),
        pytest.param(lambda: _repacked(lambda all: _flip(all, "policy")), id="a changed policy"),
        pytest.param(lambda: _repacked(_own_root), id="another authority"),
        pytest.param(lambda: _repacked(lambda all: all.update({"../x": b""})), id="a path"),
        pytest.param(lambda: _repacked(_large), id="a bomb"),
        pytest.param(lambda: _repacked(lambda all: _told(all, "times", {})), id="no times"),
        pytest.param(lambda: _repacked(lambda all: _told(all, "signatures", 3)), id="a number"),
        pytest.param(
            lambda: _repacked(
                lambda all: _told(all, "times", {"verified": "once", "received": None})
            ),
            id="no time",
        ),
    ],
)
def test_a_file_that_is_not_as_it_was_written(
    content: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_file, "_BYTES", 1024 * 1024)
    with pytest.raises(Malformed, match="file of evidence"):
        unpack(content())


def _policy(change: Callable[[dict[str, object]], object]) -> list[Evidence]:
    told = json.loads(write_policy(pki.policy()).content)
    change(told)
    return [Evidence(kind=EvidenceKind.POLICY, sha256="", content=json.dumps(told).encode())]


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param([], id="nothing"),
        pytest.param([write_policy(pki.policy())] * 2, id="two policies"),
        pytest.param(_policy(lambda told: told.pop("anchors")), id="a key is missing"),
        pytest.param(_policy(lambda told: told.update(version=2)), id="a later version"),
        pytest.param(
            [Evidence(kind=EvidenceKind.POLICY, sha256="", content=b"\xff{")], id="no JSON"
        ),
        pytest.param(
            [write_policy(pki.policy()),
             Evidence(kind=EvidenceKind.LIST, sha256="", content=b"no list")],
            id="a list that cannot be read",
        ),
    ],
)  # fmt: skip
def test_evidence_that_is_none(evidence: list[Evidence]) -> None:
    with pytest.raises(Malformed):
        rebuild(evidence)

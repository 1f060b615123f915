"""A time-stamp that we ask for ourselves: the request, and what of an answer is believed.

RFC 3161 2.4. The answer is for this request only (nonce, imprint, policy), and its token is judged
like any other (`timestamp.judge`): pinned authority, purpose, path and revocation.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from asn1crypto import cms, core, tsp

from gateway.errors import Invalid
from gateway.hpki import cms as signed_data
from gateway.hpki import timestamp
from gateway.hpki.libraries import RAISED
from gateway.hpki.timestamp import Surroundings
from gateway.model.signature import CheckOutcome

ASKING, ANSWERING = "application/timestamp-query", "application/timestamp-reply"
"Media types of request and answer (RFC 3161 3.4)."
_GRANTED = ("granted", "granted_with_mods")


class _Answer(core.Sequence):  # type: ignore[misc]
    """TimeStampResp; one that is not granted has no token."""

    _fields = [  # noqa: RUF012 - asn1crypto's way
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of an authority."""

    content: bytes
    "What is stamped; only its digest leaves."
    nonce: int
    "Random, 64 bits: the answer is made for this request."
    policy: str = ""
    "OID of the authority's policy that is demanded; empty: its default."

    def der(self) -> bytes:
        """The TimeStampReq."""
        request = {
            "version": "v1",
            "message_imprint": {
                "hash_algorithm": {"algorithm": "sha256"},
                "hashed_message": hashlib.sha256(self.content).digest(),
            },
            "nonce": self.nonce,
            "cert_req": True,
        }
        if self.policy:
            request["req_policy"] = self.policy
        return bytes(tsp.TimeStampReq(request).dump())


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """A token that was believed."""

    token: bytes
    "In DER, as it came."
    time: datetime
    ends: datetime
    "When the certificate of its authority ends: it is renewed before."


def read(asked: Asked, answer: bytes, around: Surroundings) -> Stamped:
    """The token of an answer; raises `Invalid` with the reason for anything that is not exact."""
    try:
        found = _Answer.load(answer, strict=True)
        status = found["status"]["status"].native
        if status not in _GRANTED:
            raise _wrong(f"the authority does not grant it: {status}")
        token = found["time_stamp_token"].dump()
        info = tsp.TSTInfo.load(
            bytes(found["time_stamp_token"]["content"]["encap_content_info"]["content"]),
            strict=True,
        )
        nonce, policy = info["nonce"].native, info["policy"].dotted
    except RAISED as error:
        raise _wrong("the answer cannot be read") from error
    if nonce != asked.nonce:
        raise _wrong("the answer is to another request: its nonce differs")
    if asked.policy and policy != asked.policy:
        raise _wrong("the token is made under another policy")
    judged = timestamp.judge(token, asked.content, around)
    if judged.check.outcome is not CheckOutcome.PASSED or judged.time is None:
        raise _wrong(judged.check.reason)
    if abs(judged.time - around.now) > around.policy.clock_skew:
        raise _wrong("its time is not now: compare the clocks")
    return Stamped(token=token, time=judged.time, ends=_ends(token))


def _ends(token: bytes) -> datetime:
    """When the certificate that signed a token ends."""
    signer = signed_data.read_signer(cms.ContentInfo.load(token)["content"], ())
    if signer.certificate is None:
        raise _wrong("the certificate of its authority is missing")
    ends: datetime = signer.certificate.not_valid_after
    return ends


def _wrong(reason: str) -> Invalid:
    return Invalid(f"no time-stamp: {reason}", "タイムスタンプを取得できません", at="tsa",
                   rule="RFC 3161 2.4.2", log="DOCSIG")  # fmt: skip

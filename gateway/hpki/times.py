"""When a signature was there: its time-stamps, and the archive time-stamps around them.

The newest archive time-stamp is judged now, or at reception; each older one, and at last the
signature time-stamps, at the time that the next one proves (ETSI EN 319 102-1 5.6.2.4). So a token
whose authority has ended since still counts, if another one was put around it in time.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from gateway.hpki import timestamp
from gateway.hpki.opened import Opened, Reach, failed
from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.revocation import RevocationList
from gateway.model.signature import Check

MOST_TOKENS = 10
"Signature time-stamps that are looked at; as many archive time-stamps."
_NAMES = {
    Reach.EVERYTHING: "archive-time-stamp",
    Reach.SIGNATURE: "references-time-stamp",
    Reach.NOTHING: "references-time-stamp",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What the time-stamps of one signature prove."""

    checks: tuple[Check, ...] = ()
    proven: datetime | None = None
    "The earliest time at which the signature is proven to have been there."
    archived: datetime | None = None
    "The time of the oldest archive time-stamp that holds: all before it was there."
    evidence: tuple[str, ...] = ()


def judge(
    opened: Opened,
    policy: SignaturePolicy,
    lists: tuple[RevocationList, ...],
    at: datetime,
    received: datetime | None,
) -> Times:
    """Every time-stamp of a signature, the newest first."""
    if len(opened.tokens) > MOST_TOKENS or len(opened.archives) > MOST_TOKENS:
        return Times(checks=(_crowd(),))
    around = timestamp.Surroundings(
        policy=policy, helpers=opened.helpers, crls=lists, now=at, received=received
    )
    first = within = around
    archived: list[timestamp.Stamp] = []
    deciding: list[timestamp.Stamp] = []
    for archive in reversed(opened.archives):
        stamp = timestamp.judge(archive.token, archive.digest, around)
        archived.append(replace(stamp, check=replace(stamp.check, name=_NAMES[archive.reach])))
        if archive.reach is Reach.NOTHING:
            continue
        deciding = [stamp]
        if stamp.time is not None:
            within = replace(within, received=min(stamp.time, within.received or stamp.time))
        if archive.reach is Reach.EVERYTHING:
            around = within
    stamps = [timestamp.judge(token, stamped, within) for token, stamped in opened.tokens]
    deciding = stamps or deciding
    times = [stamp.time for stamp in deciding if stamp.time is not None]
    return Times(
        checks=tuple(stamp.check for stamp in (*stamps, *archived)),
        proven=min(times) if times and len(times) == len(deciding) else None,
        archived=None if around is first else around.received,
        evidence=tuple(one for stamp in (*stamps, *archived) for one in stamp.evidence),
    )


def _crowd() -> Check:
    return failed(
        timestamp.NAME,
        "there are more time-stamps than are looked at",
        "タイムスタンプの数が上限を超えています",
        "G9",
    )

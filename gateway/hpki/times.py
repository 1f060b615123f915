"""When a signature was there: its time-stamps, and the archive time-stamps around them.

Content time-stamps are among what is signed, so that the signature is younger: they prove when it
was not there yet, and nothing else. The newest archive time-stamp is judged now, or at reception;
each older one, and at last the signature time-stamps, at the time that the next one proves
(ETSI EN 319 102-1 5.6.2.4). So a token whose authority has ended since still counts, if another one
was put around it in time.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from gateway.hpki import timestamp
from gateway.hpki.opened import Opened, Reach, failed, passed
from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.revocation import RevocationList
from gateway.model.signature import Check

MOST_TOKENS = 10
"Signature time-stamps that are looked at; as many archive time-stamps."
_CONTENT = "content-time-stamp"
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
    not_before: datetime | None = None
    "The time of the latest content time-stamp that holds: the signature was not there yet."
    evidence: tuple[str, ...] = ()


def judge(
    opened: Opened,
    policy: SignaturePolicy,
    lists: tuple[RevocationList, ...],
    at: datetime,
    received: datetime | None,
) -> Times:
    """Every time-stamp of a signature, the newest first."""
    if max(map(len, (opened.tokens, opened.archives, opened.contents))) > MOST_TOKENS:
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
    proven = min(times) if times and len(times) == len(deciding) else None
    if proven is not None:
        within = replace(within, received=min(proven, within.received or proven))
    before = [_content(timestamp.judge(one.token, one.digest, within)) for one in opened.contents]
    every = (*stamps, *archived, *before)
    return Times(
        checks=tuple(stamp.check for stamp in every),
        proven=proven,
        archived=None if around is first else around.received,
        not_before=max((one.time for one in before if one.time is not None), default=None),
        evidence=tuple(one for stamp in every for one in stamp.evidence),
    )


def _content(stamp: timestamp.Stamp) -> timestamp.Stamp:
    """The verdict on a content time-stamp, in words of its own where it holds."""
    check = replace(stamp.check, name=_CONTENT)
    if stamp.time is not None:
        check = passed(
            _CONTENT,
            "a trusted authority stamped what is signed: it was signed later than that",
            "信頼する時刻認証局が署名対象に付与しています。署名はその後に行われました",
            "EN 319 122-1 5.2.8, EN 319 132-1 5.2.8",
        )
    return replace(stamp, check=check)


def _crowd() -> Check:
    return failed(
        timestamp.NAME,
        "there are more time-stamps than are looked at",
        "タイムスタンプの数が上限を超えています",
        "G9",
    )

"""Documents get archive time-stamps of our own, before what proves them ends.

The authority is asked between two Works and inside neither; one document that cannot be stamped
leaves the others their turn. What is kept beside a document was judged like any other time-stamp.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from gateway.audit.door import Door
from gateway.errors import Inconsistent, Invalid, NotFound
from gateway.hpki import stamping
from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.stamping import Asked
from gateway.hpki.timestamp import Surroundings
from gateway.model.audit import EventKind
from gateway.model.caller import Caller
from gateway.record import stamps

logger = logging.getLogger(__name__)
_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamping:
    """Stamps what is due."""

    door: Door
    policy: Callable[[], SignaturePolicy]
    "Whom to trust, with the revocation lists in use."
    send: Callable[[bytes], bytes]
    "Asks the configured authority and no other; raises `Busy` or `Invalid`."
    nonce: Callable[[], int]
    clock: Callable[[], datetime]
    demanded: str = ""
    "Policy of the authority that is demanded."
    early: timedelta = timedelta(days=365)
    "So long before its certificate ends a stamp is renewed."

    def run(self, caller: Callable[[], Caller], most: int = 1000) -> tuple[int, int]:
        """Stamp up to `most` documents that are due; how many were, and how many could not be.

        Raises `Busy` where the authority does not answer: then none of the others is asked for.
        """
        done, failed, after = 0, 0, ""
        before = self.clock() + self.early
        while done + failed < most:
            find = partial(stamps.owners, before=before, after=after, limit=_AT_ONCE)
            found = self.door.snapshot(find, max_age=0.0)
            for owner in found:
                try:
                    done += self._stamp(owner, caller())
                except (Invalid, NotFound, Inconsistent) as refusal:
                    failed += 1
                    logger.warning("no time-stamp for %s: %s", owner, refusal.english)
            if len(found) < _AT_ONCE:
                break
            after = found[-1]
        return done, failed

    def _stamp(self, owner: str, caller: Caller) -> bool:
        with self.door.work(EventKind.JOB, caller, reading=True) as work:
            one = stamps.due(work, owner)
        if one is None:
            return False
        asked = Asked(content=one.stamped, nonce=self.nonce(), policy=self.demanded)
        answer = self.send(asked.der())
        policy = self.policy()
        around = Surroundings(
            policy=policy, helpers=(), crls=policy.trust.crls, now=self.clock(), received=None
        )
        made = stamping.read(asked, answer, around)
        if made.ends <= self.clock() + timedelta(days=1):
            raise Invalid("no time-stamp: its authority's certificate ends at once",
                          "時刻認証局の証明書の期限が切れます", at="tsa")  # fmt: skip
        with self.door.work(EventKind.JOB, caller) as work:
            stamps.keep(work, one, token=made.token, at=made.time, ends=made.ends)
        return True

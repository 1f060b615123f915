"""Whom signatures and cards are trusted to: the file that the settings name, or what ships.

Revocation lists that came since are in the archive of the database. Whoever judges asks for them
here, so that every process, and the child that reads documents, sees a new list within seconds.
"""

import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from gateway.audit.door import Door
from gateway.hpki.policy import SignaturePolicy, Trust
from gateway.hpki.revocation import read_list
from gateway.hpki.trust import parse, shipped
from gateway.record import lists
from gateway.settings import HpkiSettings, SettingsError

_AGE = 2.0
"Seconds for which the archive is not asked again."


def read_trust(path: Path | None) -> Trust:
    """The trust of a TOML file, with the files beside it; raises `SettingsError`."""
    if path is None:
        return shipped()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"trust: cannot read {path.name}") from error
    return parse(text, lambda name: (path.parent / name).read_bytes())


def read_policy(settings: HpkiSettings, grace_hours: int = 0) -> SignaturePolicy:
    """The signature policy of an installation; `grace_hours` is its network's."""
    return SignaturePolicy(
        trust=read_trust(settings.trust),
        accept_test=settings.insecure_test_cards,
        crl_grace=timedelta(hours=grace_hours),
    )


class Archive:
    """The archived lists, as those who judge need them; safe to share between threads."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._guard = threading.Lock()
        self._asked = 0.0
        self._count = 0
        self._digests: frozenset[str] = frozenset()
        self._contents: tuple[bytes, ...] = ()
        self._policy: tuple[int, SignaturePolicy, SignaturePolicy] | None = None

    def current(self) -> tuple[int, tuple[bytes, ...]]:
        """A version, and the lists in use; at most one thread asks for newer ones.

        The others go on with what is here, and wait only for the first answer.
        """
        now = time.monotonic()
        first = not self._asked
        if (first or now - self._asked > _AGE) and self._guard.acquire(blocking=first):
            try:
                count = self._door.snapshot(lists.count, max_age=0.0)
                if count != self._count:
                    rows = self._door.snapshot(lists.in_use, max_age=0.0)
                    digests = [row.sha256 for row in rows]
                    contents = self._door.snapshot(
                        lambda db: lists.contents(db, digests), max_age=0.0
                    )
                    self._contents, self._digests = tuple(contents), frozenset(digests)
                    self._count = count
                self._asked = now
            finally:
                self._guard.release()
        return self._count, self._contents

    def around(self, moments: Iterable[datetime]) -> tuple[bytes, ...]:
        """The lists of some moments that are not among those in use."""
        wanted = list(moments)
        found = self._door.snapshot(lambda db: lists.around(db, wanted), max_age=0.0)
        return tuple(one for one in found if read_list(one).sha256 not in self._digests)

    def policy(self, base: SignaturePolicy) -> SignaturePolicy:
        """The policy with the lists in use; made anew only where there is a newer one."""
        version, contents = self.current()
        held = self._policy
        if held is None or held[0] != version or held[1] is not base:
            crls = tuple(read_list(one) for one in contents)
            made = replace(base, trust=base.trust | Trust(crls=crls))
            self._policy = held = (version, base, made)
        return held[2]

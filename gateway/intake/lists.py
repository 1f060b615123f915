"""Revocation lists: fetched on schedule, judged, kept for good, missed before their window ends.

A list's window ends at its nextUpdate and the network's `signature.crl_grace_hours`. Until then
decisions need no network; afterwards what rests on it is unverifiable, never verified (J-03,
RD-23).
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from gateway.audit.door import Door
from gateway.errors import Busy, Invalid, NotFound, Refusal
from gateway.hpki import received
from gateway.hpki.policy import ListSource, SignaturePolicy
from gateway.hpki.received import Anomaly, Received
from gateway.hpki.revocation import read_list
from gateway.model.audit import EventKind, Outcome
from gateway.model.caller import Caller
from gateway.record import lists
from gateway.record.lists import ListRow, SourceRow
from gateway.store.work import Work

logger = logging.getLogger(__name__)
_LEASE = timedelta(minutes=5)
"How long a process that asks a source has its turn."
_AGAIN = timedelta(minutes=1)
"After a first failure; twice as long after each further one, at most the source's own interval."
_SAID = timedelta(days=1)
"An alarm that still holds is given again after this."
BY_HAND = "by hand"
"Source of a list that an operator loaded."


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What became of one list."""

    source: str
    outcome: str
    "`new`, `same`, `refused`, `unanswered`."
    sha256: str = ""
    reason: str = ""
    japanese: str = ""
    row: ListRow | None = None

    @property
    def well(self) -> bool:
        """Whether a list of this source is here."""
        return self.outcome in ("new", "same")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one configured source is, and the newest list that it stands for."""

    source: ListSource
    state: SourceRow
    row: ListRow | None
    until: datetime | None
    "End of the window, grace included."
    alarming: bool
    "The window ends soon, or has ended, or there never was a list."


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The sources of one installation."""

    door: Door
    policy: SignaturePolicy
    "With the sources of the trust file and the network's grace."
    fetch: Callable[[ListSource], bytes]
    clock: Callable[[], datetime]

    def refresh(self, caller: Callable[[], Caller], *, named: str = "") -> list[Fetched]:
        """Ask the sources that are due, or the one that is named whether it is due or not.

        Raises `NotFound` where none has the name. One that fails is asked again, ever more slowly.
        """
        found = []
        for source in self._named(named):
            now = self.clock()
            if self._claim(source, now, at_once=bool(named)):
                found.append(self._take(source, caller()))
        return found

    def fetch_all(self, caller: Callable[[], Caller]) -> list[Fetched]:
        """Ask every source now."""
        return [
            one for source in self.policy.trust.sources
            for one in self.refresh(caller, named=source.name)
        ]  # fmt: skip

    def load(
        self, content: bytes, caller: Caller, *, named: str = "", older: bool = False
    ) -> Fetched:
        """Take a list that an operator has; `older` takes one that is older than what is here, too.

        Raises what `hpki.received.receive` and `follow` raise.
        """
        source = self._named(named)[0] if named else None
        kept = self._keep(content, source, caller, BY_HAND, older=older)
        if source is not None and kept.row is not None:
            self._note(source, kept.row.series, due=None)
        return kept

    def standings(self) -> list[Standing]:
        """How every configured source is now."""
        now = self.clock()
        states = self.door.snapshot(lists.sources, max_age=0.0)
        rows = {row.series: row for row in self.door.snapshot(self._newest, max_age=0.0)}
        return [
            self._standing(source, states.get(source.name), rows, now)
            for source in self.policy.trust.sources
        ]

    def watch(self, caller: Callable[[], Caller]) -> list[Standing]:
        """Give the alarm for every source whose window ends, once a day; those it was given for."""
        given = []
        now = self.clock()
        for one in self.standings():
            name = one.source.name
            if not one.alarming:
                if one.state.alarmed is not None:
                    self.door.keep(partial(lists.calm, name=name))
                continue
            if one.row is None and not one.state.failures:
                continue  # not asked yet
            ended = one.until is None or one.until <= now
            after = now - _SAID
            if ended and one.until is not None:
                after = max(after, one.until)  # once more when it has ended
            if not self.door.keep(partial(lists.alarm, name=name, now=now, since=after)):
                continue
            given.append(one)
            logger.error(
                "the revocation list of %s %s", name,
                "has ended: nothing that needs it is verified" if ended else f"ends {one.until}",
            )  # fmt: skip
            with self.door.work(EventKind.SECURITY_ALERT, caller()) as work:
                work.trail.code = "PKI-REV"
                work.trail.rule = "J-03"
                work.trail.outcome = Outcome.MAJOR if ended else Outcome.MINOR
                work.trail.detail.update(
                    source=name, ended=ended, failures=one.state.failures,
                    until=one.until.isoformat() if one.until else None,
                )  # fmt: skip
        return given

    def _named(self, name: str) -> list[ListSource]:
        found = [one for one in self.policy.trust.sources if name in ("", one.name)]
        if name and not found:
            raise NotFound("no [[crl]] of the trust file has this url or file",
                           "信頼設定の [[crl]] にありません", at="source")  # fmt: skip
        return found

    def _claim(self, source: ListSource, now: datetime, *, at_once: bool) -> bool:
        if not at_once:
            state = self.door.snapshot(lists.sources, max_age=0.0).get(source.name)
            if state is not None and state.due > now:
                return False

        def write(db: Any) -> bool:
            lists.register(db, source.name, now)
            return lists.claim(db, source.name, now, now + _LEASE) or at_once

        return self.door.keep(write)

    def _take(self, source: ListSource, caller: Caller) -> Fetched:
        """Fetch one list and keep it, and note how the source is."""
        try:
            content = self.fetch(source)
        except Refusal as refusal:
            self._tell(caller, source.name, refusal, alert=refusal.log == "PKI-URL")
            return self._failed(source, refusal)
        try:
            kept = self._keep(content, source, caller, source.name)
        except Refusal as refusal:
            return self._failed(source, refusal)
        self._note(source, kept.row.series if kept.row else "", due=self.clock() + source.every)
        return kept

    def _keep(
        self, content: bytes, source: ListSource | None, caller: Caller, name: str,
        *, older: bool = False,
    ) -> Fetched:  # fmt: skip
        """Judge a list and keep it; the one that is in force already leaves no event."""
        try:
            found = received.receive(
                content, self.policy, source.issuer if source else None, self.clock()
            )
        except Refusal as refusal:
            self._tell(caller, name, refusal, alert=isinstance(refusal, Invalid))
            raise
        newest = self.door.snapshot(lambda db: lists.newest(db, found.series), max_age=0.0)
        if newest is not None and newest.sha256 == found.read.sha256:
            return Fetched(source=name, outcome="same", sha256=newest.sha256, row=newest)
        kind = EventKind.ADMIN if name == BY_HAND else EventKind.JOB
        with self.door.work(kind, caller) as work:
            work.trail.detail["source"] = name
            return self._archive(work, found, name, older=older)

    def _archive(self, work: Work, found: Received, name: str, *, older: bool) -> Fetched:
        newest = lists.newest(work.db, found.series)
        keeps = ""
        anomalies: tuple[Anomaly, ...] = ()
        if newest is not None and newest.sha256 != found.read.sha256:
            used = [row.sha256 for row in lists.in_use(work.db, found.series)]
            kept = [read_list(one) for one in lists.contents(work.db, used)]
            before = next(one for one in kept if one.sha256 == newest.sha256)
            if older and found.read.since < before.since:
                keeps = found.read.sha256 if received.tells_more(found.read, kept) else ""
            else:
                others = [one for one in kept if one is not before]
                following = received.follow(found, before, others)
                keeps = newest.sha256 if following.keeps else ""
                anomalies = following.anomalies
        row = _row(found, name, work.now, keeps, anomalies)
        new = lists.archive(work, row, found.read.crl.public_bytes(Encoding.DER))
        if anomalies:
            work.trail.code = "PKI-REV"
            logger.warning(
                "the revocation list of %s: %s", name,
                ", ".join(f"{one.code} {one.count or ''}".strip() for one in anomalies),
            )  # fmt: skip
        return Fetched(source=name, outcome="new" if new else "same", sha256=row.sha256, row=row)

    def _tell(self, caller: Caller, name: str, refusal: Refusal, *, alert: bool) -> None:
        """Leave the event of a list that was not taken; it is serious where it may be an attack."""
        kind = EventKind.SECURITY_ALERT if alert else EventKind.JOB
        with suppress(Refusal), self.door.work(kind, caller) as work:
            work.trail.outcome = Outcome.SERIOUS if alert else Outcome.MINOR
            work.trail.detail["source"] = name
            raise refusal

    def _failed(self, source: ListSource, refusal: Refusal) -> Fetched:
        now = self.clock()
        outcome = "unanswered" if isinstance(refusal, Busy) else "refused"

        def write(db: Any) -> None:
            state = lists.sources(db)[source.name]
            pause = min(source.every, _AGAIN * 2 ** min(state.failures, 16))
            lists.note(
                db,
                replace(
                    state, failures=state.failures + 1, due=now + pause,
                    problem=refusal.english, japanese=refusal.japanese,
                ),
            )  # fmt: skip

        self.door.keep(write)
        logger.warning("the revocation list of %s: %s", source.name, refusal.english)
        return Fetched(
            source=source.name, outcome=outcome, reason=refusal.english, japanese=refusal.japanese
        )

    def _note(self, source: ListSource, series: str, *, due: datetime | None) -> None:
        now = self.clock()

        def write(db: Any) -> None:
            lists.register(db, source.name, now)
            state = replace(lists.sources(db)[source.name], series=series)
            if due is not None:
                state = replace(state, failures=0, problem="", japanese="", fetched=now, due=due)
            lists.note(db, state)

        self.door.keep(write)

    def _newest(self, db: Any) -> list[ListRow]:
        return [
            row
            for state in lists.sources(db).values()
            if state.series and (row := lists.newest(db, state.series)) is not None
        ]

    def _standing(
        self, source: ListSource, state: SourceRow | None, rows: dict[str, ListRow], now: datetime
    ) -> Standing:
        state = state or SourceRow(name=source.name, due=now)
        row = rows.get(state.series)
        if row is None:
            return Standing(source=source, state=state, row=None, until=None, alarming=True)
        until = row.until + self.policy.crl_grace
        notice = source.alarm or (until - row.since) / 2
        return Standing(
            source=source, state=state, row=row, until=until, alarming=until - now <= notice
        )


def _row(
    found: Received, name: str, now: datetime, keeps: str, anomalies: tuple[Anomaly, ...]
) -> ListRow:
    read = found.read
    return ListRow(
        sha256=read.sha256, series=found.series, issuer=found.issuer,
        number="" if read.number is None else str(read.number), since=read.since,
        until=found.until, received=now, source=name, entries=len(read.entries),
        keeps=keeps, anomalies=[asdict(one) for one in anomalies],
    )  # fmt: skip


def told(found: Fetched) -> dict[str, Any]:
    """One list for `gateway crl --json`."""
    row = found.row
    return {
        "source": found.source, "outcome": found.outcome, "sha256": found.sha256 or None,
        "reason": found.reason or None, "reason_ja": found.japanese or None,
        "list": None if row is None else as_json(row),
    }  # fmt: skip


def as_json(row: ListRow) -> dict[str, Any]:
    """One list of the archive for `gateway crl --json`."""
    return {
        "sha256": row.sha256, "issuer": row.issuer, "series": row.series, "number": row.number,
        "since": row.since.isoformat(), "until": row.until.isoformat(),
        "received": row.received.isoformat(), "source": row.source, "entries": row.entries,
        "anomalies": row.anomalies,
    }  # fmt: skip


def lines(found: Standing) -> Iterator[tuple[str, str]]:
    """Why a source is alarming, in English and Japanese."""
    if found.row is None:
        yield (f"no revocation list of {found.source.name} has come",
               f"{found.source.name} の失効リストがありません")  # fmt: skip
    elif found.alarming:
        yield (f"the revocation list of {found.source.name} ends {found.until}",
               f"{found.source.name} の失効リストの有効期間は {found.until} までです")  # fmt: skip

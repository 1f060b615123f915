"""Logging in: a doctor's card at the TLS handshake becomes a session (SIG-03, SIG-04, K-04).

What the handshake proved is judged again by `hpki.login`; who the card belongs to is what the
secretariat registered. A session made by a card counts only on connections that show the same card.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from gateway.audit.door import Door
from gateway.edge.authn import Register
from gateway.edge.protocol import Client
from gateway.errors import Malformed, NotPermitted, Refusal, Unauthenticated, UnknownDocument
from gateway.hpki import login
from gateway.hpki.login import CardVerdict
from gateway.hpki.policy import SignaturePolicy
from gateway.members import cards, sessions, users
from gateway.members.sessions import Lifetime, Session
from gateway.members.users import User
from gateway.model.audit import EventKind, Outcome
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import FacilityType
from gateway.model.document import DocumentEntry, Retrieved
from gateway.model.identifiers import Oid, PatientId
from gateway.record import disclose
from gateway.record.disclose import Viewed
from gateway.record.handling import Handling, require
from gateway.store.work import Work

_Value = TypeVar("_Value")
_AGAIN = timedelta(minutes=1)
"How long the verdict on a card counts while its user is logged in."
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRules:
    """Which cards open the door."""

    policy: Callable[[], SignaturePolicy]
    "With the revocation lists of this moment."
    policies: frozenset[str]
    "Certificate policies of log-in cards."
    test_policies: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """Somebody who has just logged in."""

    cookie: str
    session: Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Logins:
    """Who logs in, who is logged in, and what they see; every call is one Work."""

    door: Door
    register: Callable[[], Register]
    lifetime: Lifetime
    cards: CardRules | None
    "None where no card opens this door."
    new_request: Callable[[], str]
    new_secret: Callable[[], str]
    clock: Callable[[], datetime]
    _judged: dict[str, tuple[datetime, bool]] = field(default_factory=dict)
    "Certificate to when its card was judged last, and how."

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways to log in here."""
        return () if self.cards is None else ("card",)

    def enter(self, client: Client, account: str | None) -> Begun:
        """Log in by the card of this connection; `account` is the user the caller says to be.

        Raises `Unauthenticated` where the card does not hold, `NotPermitted` where it is nobody's,
        another account's, or the user or facility is suspended.
        """
        if self.cards is None or not client.certificate:
            raise Unauthenticated("not logged in", "ログインしていません", log="LOGIN-FAIL")
        verdict = self._judge(self.cards, client)
        stranger = self.stranger(client, "" if verdict.card is None else verdict.card.subject)
        try:
            with self.door.work(EventKind.LOGIN, stranger) as work:
                return self._enter(work, client, verdict, account)
        except NotPermitted as refusal:
            if refusal.rule == "SIG-04":
                self.incident(stranger, _noted(verdict), refusal)
            raise

    def _enter(
        self, work: Work, client: Client, verdict: CardVerdict, account: str | None
    ) -> Begun:
        card = verdict.card
        work.trail.detail.update(_noted(verdict))
        if card is None or verdict.reason is not None:
            found = verdict.reason
            raise Unauthenticated(
                "the card is refused: " + (found.reason if found else "it cannot be read"),
                "カードを受け付けられません: " + (found.japanese if found else ""),
                at="" if found is None else found.name, rule="SIG-01", log="LOGIN-FAIL",
            )  # fmt: skip
        user = cards.holder(work, card.key)
        if user is None:
            raise NotPermitted(
                "the card is not registered: ask the secretariat",
                "登録されていないカードです。事務局に届け出てください",
                at="card", rule="SIG-04", log="LOGIN-FAIL",
            )  # fmt: skip
        if account is not None and account != user.name:
            raise NotPermitted(
                "the card is not this account's", "このアカウントのカードではありません",
                at="card", rule="SIG-04", log="LOGIN-FAIL",
            )  # fmt: skip
        return self.let_in(
            work, client, user, LevelOfAssurance.HPKI, card=card.key, subject=card.subject,
            roles=verdict.roles,
        )  # fmt: skip

    def let_in(
        self,
        work: Work,
        client: Client,
        user: User,
        assurance: LevelOfAssurance,
        *,
        card: str = "",
        account: str = "",
        subject: str = "",
        roles: Iterable[str] = (),
    ) -> Begun:
        """Begin the session of a user whom a `card` or an `account` proved to be there.

        Raises `NotPermitted` where the user or the facility is suspended.
        """
        caller = users.caller(
            work, user.name, domains=self._domains(user.facility), request=work.caller.request
        )
        work.caller = replace(
            caller, assurance=assurance, certificate=client.sha256, address=work.caller.address,
            tls_subject=subject,
        )  # fmt: skip
        work.trail.code = "LOGIN"
        cookie = self.new_secret()
        sessions.begin(
            work, work.caller, cookie, lifetime=self.lifetime, card=card, account=account,
            roles=roles,
        )  # fmt: skip
        return Begun(cookie=cookie, session=self._session(work, client, cookie))

    def session(self, client: Client, cookie: str) -> Session:
        """Who is behind a cookie; raises `Unauthenticated` or `NotPermitted`."""
        return self._reading(client, cookie, EventKind.LOGIN, lambda work, session: session)

    def document(
        self, client: Client, cookie: str, patient: str, unique_id: str, handling: Handling
    ) -> Retrieved:
        """One document that the user behind a cookie may handle so, and where its bytes are.

        Raises `UnknownDocument` for what is not there or may not be seen, `NotPermitted` (HND-01).
        """

        def see(work: Work, session: Session) -> Retrieved:
            entry = disclose.document(work, _shared(work, patient), unique_id)
            require(work, handling, entry)
            return Retrieved(entry=entry, path=disclose.opened(work, entry))

        return self._reading(client, cookie, EventKind.VIEW, see)

    def described(self, client: Client, cookie: str, patient: str, unique_id: str) -> DocumentEntry:
        """What is known of one document that the user behind a cookie may see."""

        def see(work: Work, session: Session) -> DocumentEntry:
            return disclose.document(work, _shared(work, patient), unique_id)

        return self._reading(client, cookie, EventKind.VIEW, see)

    def view(
        self, client: Client, cookie: str, patient: str, handling: Handling = Handling.VIEW
    ) -> Viewed:
        """What the user behind a cookie sees of one person; nothing where nothing may be seen.

        Raises `NotPermitted` where it is to be saved or printed (HND-01).
        """

        def see(work: Work, session: Session) -> Viewed:
            require(work, handling)
            domain = work.policy.shared_id.domain
            try:
                return disclose.view(work, PatientId(domain, patient))
            except Malformed:  # what is no shared id is nobody's: it looks the same
                work.trail.outcome = Outcome.MINOR
                return Viewed()

        return self._reading(client, cookie, EventKind.VIEW, see)

    def leave(self, client: Client, cookie: str) -> None:
        """Log out."""
        with self.door.work(EventKind.LOGIN, self.stranger(client)) as work:
            session = self._session(work, client, cookie)
            work.caller = session.caller
            work.trail.detail["ended"] = sessions.end(work, cookie)

    def act(self, work: Work, client: Client, cookie: str) -> Session:
        """Let whoever is behind a cookie be the caller of a Work; raises as `session` does."""
        found = self._session(work, client, cookie)
        work.caller = found.caller
        return found

    def _reading(
        self,
        client: Client,
        cookie: str,
        kind: EventKind,
        read: Callable[[Work, Session], _Value],
    ) -> _Value:
        """One reading Work of whoever is logged in; its event is durable before this returns."""
        with self.door.work(kind, self.stranger(client), reading=True) as work:
            session = self._session(work, client, cookie)
            work.caller = session.caller
            found = read(work, session)
        if work.recorded is not None:
            work.recorded.result()
        now = self.clock()
        self.door.keep(lambda db: sessions.use(db, session.token, now))
        return found

    def _session(self, work: Work, client: Client, cookie: str) -> Session:
        found = sessions.find(
            work, cookie, lifetime=self.lifetime, domains=self._domains,
            request=work.caller.request, certificate=client.sha256,
        )  # fmt: skip
        if found.card and not self._still_holds(client):
            raise Unauthenticated(
                "the card does not hold any more", "カードが有効ではなくなりました",
                rule="SIG-02", log="COOKIE",
            )  # fmt: skip
        caller = replace(
            found.caller, certificate=client.sha256, address=client.address,
            tls_subject=found.subject,
        )  # fmt: skip
        return replace(found, caller=caller)

    def _judge(self, rules: CardRules, client: Client) -> CardVerdict:
        moment = self.clock()
        verdict = login.judge(
            client.certificate, rules.policy(), policies=rules.policies,
            test_policies=rules.test_policies, at=moment,
        )  # fmt: skip
        if len(self._judged) >= _REMEMBERED:
            self._judged.clear()
        self._judged[client.sha256] = (moment, verdict.accepted)
        return verdict

    def _still_holds(self, client: Client) -> bool:
        """Whether the card of a session is still good: judged again from time to time (J-03)."""
        moment, accepted = self._judged.get(
            client.sha256, (datetime.min.replace(tzinfo=UTC), False)
        )
        if self.clock() - moment < _AGAIN:
            return accepted
        return self.cards is not None and self._judge(self.cards, client).accepted

    def _domains(self, facility: str) -> frozenset[Oid]:
        return self.register().owned.get(facility, frozenset())

    def stranger(self, client: Client, subject: str = "") -> Caller:
        """Whoever is there, before it is known who."""
        return Caller(
            network=self.door.policy.network, kind=CallerKind.USER, facility="", role="",
            subject="", facility_type=FacilityType.OTHER, certificate=client.sha256,
            address=client.address, request=self.new_request(), tls_subject=subject,
        )  # fmt: skip

    def incident(self, stranger: Caller, noted: Mapping[str, Any], refusal: Refusal) -> None:
        """A card or an account that is not its account's is an incident (SIG-04)."""
        self.door.refuse_at_edge(
            EventKind.SECURITY_ALERT, stranger, code=refusal.log, outcome=Outcome.SERIOUS,
            detail={"rule": refusal.rule, **noted},
        )  # fmt: skip


def _shared(work: Work, value: str) -> PatientId:
    """A shared patient id as it stands in an address; raises `UnknownDocument` for anything else.

    What is about nobody has no documents.
    """
    try:
        return PatientId(work.policy.shared_id.domain, value)
    except Malformed as error:
        raise UnknownDocument("no such document", "文書が見つかりません", at="document") from error


def _noted(verdict: CardVerdict) -> Mapping[str, Any]:
    """What the trail keeps of a card: how it was judged and on what, to be repeated (SIG-06)."""
    card = verdict.card
    return {
        "card": None if card is None else card.key,
        "authority": None if card is None else card.authority,
        "policy": verdict.policy,
        "roles": list(verdict.roles),
        "checks": {check.name: check.outcome.value for check in verdict.checks},
        "evidence": list(verdict.evidence),
    }

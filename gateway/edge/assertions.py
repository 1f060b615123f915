"""XUA at the door: a message's assertion becomes the Caller of one of the neighbour's users.

ITI TF-2: 3.40; `security.md` B-11, B-15. The assertion is verified with the certificates of the
very neighbour whose TLS certificate the connection has: nobody speaks for somebody else.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta

from gateway.dispatch import Assertion
from gateway.edge.authn import Peer
from gateway.errors import Unauthenticated
from gateway.members import neighbours
from gateway.members.neighbours import Neighbour
from gateway.model.caller import Caller
from gateway.model.network import NetworkPolicy
from gateway.settings import XuaSettings
from gateway.wire.saml import Verifier, trust_of
from gateway.wire.soap import Message


class Assertions:
    """Verifies assertions, one verifier for each neighbour."""

    def __init__(
        self,
        settings: XuaSettings,
        *,
        policy: NetworkPolicy,
        clock: Callable[[], datetime],
        day: Callable[[datetime], date],
        recipients: frozenset[str] = frozenset(),
    ) -> None:
        self._settings = settings
        self._skew = timedelta(seconds=settings.clock_skew_seconds)
        self._policy = policy
        self._clock = clock
        self._day = day
        self._recipients = recipients
        self._verifiers: Mapping[str, Verifier] = {}

    def trust(self, known: Iterable[tuple[Neighbour, tuple[bytes, ...]]]) -> None:
        """Take over the neighbours with the PEM certificates that sign their assertions."""
        settings = self._settings
        self._verifiers = {
            neighbour.name: Verifier(
                trust_of((neighbour.issuer, pem) for pem in pems),
                audience=settings.audience,
                skew=self._skew,
                longest=timedelta(seconds=settings.longest_lifetime_seconds),
                recipients=self._recipients,
            )
            for neighbour, pems in known
        }

    def caller(self, message: Message, peer: Peer) -> tuple[Caller, Assertion]:
        """Who asks, by a verified assertion; raises `Unauthenticated` or `NotPermitted`."""
        neighbour = peer.neighbour
        verifier = self._verifiers.get(neighbour.name) if neighbour is not None else None
        if neighbour is None or verifier is None:
            raise Unauthenticated(
                "no issuer of assertions is known for this machine",
                "この機関のアサーション発行者は登録されていません",
                check="security" if message.security is None else "authentication",
                rule="B-11",
                log="SIG-MISSING" if message.security is None else "SAML-ISSUER",
            )
        now = self._clock()
        machine = peer.caller
        claims = verifier.verify(
            message.security,
            message.envelope,
            now=now,
            holder=machine.certificate,
            address=machine.address,
        )
        user = neighbours.user_caller(
            neighbour, network=machine.network, policy=self._policy, day=self._day(now),
            subject=claims.audit_name, roles=claims.roles, purposes=claims.purposes,
            organization=claims.organization_id, home=claims.home, assertion=claims.id,
        )  # fmt: skip
        caller = replace(
            user, certificate=machine.certificate, tls_subject=machine.tls_subject,
            address=machine.address, request=machine.request, about=claims.patient,
        )  # fmt: skip
        used = Assertion(
            id=claims.id, issuer=claims.issuer, until=claims.not_on_or_after + self._skew,
            once=claims.one_time_use,
        )  # fmt: skip
        return caller, used

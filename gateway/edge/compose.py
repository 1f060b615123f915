"""The doors put together from the parts of one opened installation."""

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial

from gateway.audit.door import Door
from gateway.dispatch import Dispatch
from gateway.edge.account_logins import AccountLogins
from gateway.edge.assertions import Assertions
from gateway.edge.authn import Authenticator, Register, read_register
from gateway.edge.documents import Documents
from gateway.edge.jobs import Bell
from gateway.edge.limits import Rate
from gateway.edge.logins import CardRules, Logins
from gateway.edge.machines import MachineDoor
from gateway.edge.metrics import Metrics
from gateway.edge.mllp import MllpDoor
from gateway.edge.oidc_settings import read_assurance, read_provider
from gateway.edge.password_logins import PasswordLogins
from gateway.edge.people import PeopleDoor
from gateway.edge.people_ways import AccountDoor, PasswordDoor
from gateway.edge.protocol import Client
from gateway.edge.provider import Conversation
from gateway.edge.soap import SoapDoor
from gateway.edge.tls import Revocations, people_context
from gateway.edge.trusted import Archive
from gateway.edge.uploads import Doorway, Uploads
from gateway.hpki.policy import AnchorKind, SignaturePolicy
from gateway.intake import Filing, Intake, Providing, messages
from gateway.intake.messages import MessageIntake
from gateway.members.neighbours import Neighbour
from gateway.members.passwords import Strength
from gateway.members.sessions import Lifetime
from gateway.model import chance
from gateway.model.audit import EventKind, Outcome
from gateway.settings import Settings, SettingsError
from gateway.transaction import Table
from gateway.wire.limits import Limits
from gateway.wire.schemas import Schemas
from gateway.wire.wsdl import wsdl

KnownNeighbours = Iterable[tuple[Neighbour, tuple[bytes, ...]]]
"Each neighbour with the PEM certificates that sign its assertions."
_LOGINS, _LOGINS_A_SECOND = 10, 1 / 30
"Log-ins that fail, of one card or of one address without card: at once, and later (K-01)."
_SENT, _SENT_A_SECOND = 60, 1.0
"Log-ins that one address (a hospital's, often) may begin at a provider: at once, and later."
_TALKING = 8
"Threads that may wait for a provider."
_HASHING = 2
"Passwords that are compared at the same time."
_THREADS = 4 * (os.cpu_count() or 1)


@dataclass(slots=True, kw_only=True)
class Machines:
    """Everything the machine door is made of, in the order in which it is needed."""

    settings: Settings
    door: Door
    table: Table
    schemas: Schemas | None
    inline_reads: bool
    clock: Callable[[], datetime]
    day: Callable[[datetime], date]
    "The day of a moment where the network is."
    new_id: Callable[[], str]
    new_request: Callable[[], str]
    signatures: SignaturePolicy
    "As the trust file says; the archive has the lists that came since."
    archive: Archive
    waiting: Bell = field(default_factory=Bell)
    "Rung where an upload waits to be worked through."
    metrics: Metrics = field(default_factory=Metrics)
    pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_THREADS, thread_name_prefix="work")
    )
    revocations: Revocations = field(init=False)
    authenticator: Authenticator = field(init=False)
    assertions: Assertions = field(init=False)
    rate: Rate = field(init=False)
    _neighbours: Mapping[str, Neighbour] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Make what authenticates."""
        settings = self.settings
        self.revocations = Revocations(settings.tls.crl)
        self.authenticator = Authenticator(
            network=self.door.policy.network,
            register=self._register,
            known=lambda: self._neighbours,
            today=lambda: self.day(self.clock()),
            revocations=self.revocations,
        )
        self.assertions = Assertions(
            settings.xua, policy=self.door.policy, clock=self.clock, day=self.day
        )
        limits = settings.limits
        self.rate = Rate(limits.requests_per_second, limits.burst, time.monotonic)

    def know(self, neighbours: KnownNeighbours) -> None:
        """Take over the configured neighbours."""
        known = list(neighbours)
        self.assertions.trust(known)
        self._neighbours = {
            sha256: neighbour for neighbour, _ in known for sha256 in neighbour.client_certificates
        }

    def know_anew(self, neighbours: KnownNeighbours | None) -> None:
        """The same where the files have changed, so that no restart is needed."""
        if neighbours is not None:
            self.know(neighbours)
            self.door.forget_snapshots()  # what a connection was recognised as is looked up again

    def refresh(self) -> None:
        """Read the members again, so that no request has to wait for it."""
        self.door.snapshot(read_register, max_age=1.0)

    def _register(self) -> Register:
        return self.door.snapshot(read_register)

    def application(self, intake: Intake, filing: Filing) -> MachineDoor:
        """The machine door."""
        settings = self.settings
        doorway = Doorway(
            door=self.door,
            authenticator=self.authenticator,
            metrics=self.metrics,
            rate=self.rate,
            limits=settings.limits,
            new_id=self.new_id,
            pool=self.pool,
        )
        uploads = Uploads(
            doorway=doorway, intake=intake, blobs=intake.blobs, arrived=self.waiting.ring
        )
        documents = Documents(doorway=doorway, filing=filing)
        soap = SoapDoor(
            door=self.door,
            dispatch=Dispatch(
                door=self.door,
                table=self.table,
                new_id=self.new_id,
                schemas=self.schemas,
                take=Providing(filing).take,
            ),
            authenticator=self.authenticator,
            assertions=self.assertions.caller,
            metrics=self.metrics,
            rate=self.rate,
            limits=Limits.of(settings.limits),
            new_id=self.new_id,
            new_request=self.new_request,
            pool=self.pool,
            blobs=filing.blobs,
            inline_reads=self.inline_reads,
        )
        return MachineDoor(
            soap=soap,
            others={"/uploads": uploads, "/uploads/": uploads, "/documents": documents},
            names=settings.http.names,
            authenticator=self.authenticator,
            wsdl=wsdl,
            new_id=self.new_id,
        )

    def people(self) -> tuple[PeopleDoor, ssl.SSLContext]:
        """The people door, with the context that asks for a doctor's card where cards log in."""
        settings = self.settings
        login = settings.login
        rules = None
        authorities: list[bytes] = []
        if login.cards:
            policy = self.signatures
            rules = CardRules(
                policy=partial(self.archive.policy, policy), policies=frozenset(login.policies),
                test_policies=frozenset(login.test_policies),
            )  # fmt: skip
            anchors = (one.certificate for one in policy.anchors(AnchorKind.HPKI))
            authorities = [one.dump() for one in (*anchors, *policy.trust.certificates)]
        logins = Logins(
            door=self.door,
            register=self._register,
            lifetime=Lifetime(
                idle=timedelta(minutes=login.idle_minutes),
                longest=timedelta(hours=login.longest_hours),
            ),
            cards=rules,
            new_request=self.new_request,
            new_secret=chance.new_secret,
            clock=self.clock,
        )
        door = PeopleDoor(
            settings.http.names,
            logins=logins,
            accounts=self._accounts(logins),
            passwords=self._passwords(logins),
            metrics=self.metrics,
            rate=Rate(_LOGINS_A_SECOND, _LOGINS, time.monotonic),
            pool=self.pool,
            new_id=self.new_id,
        )
        return door, people_context(settings.tls, authorities, tls13=login.tls13)

    def _accounts(self, logins: Logins) -> AccountDoor | None:
        """Log-in at the configured OpenID provider, where there is one."""
        provider = read_provider(self.settings)
        if provider is None:
            return None
        return AccountDoor(
            logins=AccountLogins(
                logins=logins,
                conversation=Conversation(
                    provider=provider, clock=self.clock, new_id=self.new_id
                ),
                assurance=read_assurance(self.settings.oidc),
                new_secret=chance.new_secret,
            ),
            rate=Rate(_SENT_A_SECOND, _SENT, time.monotonic),
            pool=ThreadPoolExecutor(_TALKING, thread_name_prefix="provider"),
        )  # fmt: skip

    def _passwords(self, logins: Logins) -> PasswordDoor | None:
        """Log-in by password, where it is allowed."""
        login = self.settings.login
        if not login.passwords:
            return None
        return PasswordDoor(
            logins=PasswordLogins(
                logins=logins,
                strength=Strength(least=login.password_length, days=login.password_days),
                holds=timedelta(hours=login.temporary_hours),
            ),
            pool=ThreadPoolExecutor(_HASHING, thread_name_prefix="password"),
        )

    def mllp(self, intake: Intake, socket: socket.socket, tls: ssl.SSLContext) -> MllpDoor:
        """The door for HL7 v2 messages, on a socket of its own."""
        settings = self.settings.mllp
        try:
            names = messages.read_names(settings.senders)
        except ValueError as error:
            raise SettingsError(f"[mllp] senders: {error} is not NAME=facility") from error
        return MllpDoor(
            socket=socket,
            tls=tls,
            authenticator=self.authenticator,
            messages=MessageIntake(
                intake=intake, clock=self.clock, new_id=self.new_id, names=names,
                strict=settings.strict,
            ),
            door=self.door,
            metrics=self.metrics,
            rate=self.rate,
            limits=self.settings.limits,
            idle_seconds=settings.idle_seconds,
            new_id=self.new_request,
            pool=self.pool,
            arrived=self.waiting.ring,
        )  # fmt: skip

    def refused(self, client: Client, code: str, status: int) -> None:
        """Record what a connection was refused for before any request was known (section 5)."""
        self.metrics.refused(code)
        self.door.refuse_at_edge(
            EventKind.SECURITY_ALERT,
            self.authenticator.stranger(client),
            code=code,
            outcome=Outcome.MINOR,
            detail={"status": status},
        )

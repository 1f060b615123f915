"""Who is at the door: the TLS client certificate of a connection becomes a Caller (ACC-01, J-08).

A certificate is looked up once per connection and again whenever the snapshot of members is a new
one (at most five seconds old): one that is revoked, or whose facility is suspended after the
hand-shake, is refused by 403 with an empty body (2.1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from cryptography import x509
from sqlalchemy import Connection

from gateway.edge.protocol import Client
from gateway.edge.tls import Revocations
from gateway.identity import domains
from gateway.members import facilities, neighbours
from gateway.members.facilities import Members
from gateway.members.neighbours import Neighbour
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import FacilityType
from gateway.model.identifiers import Oid


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A registered machine at the other end: its caller, and how it wants its faults."""

    caller: Caller
    sender_fault_status: int = 400
    "HTTP status of a Sender fault: 500 for clients that cannot read a fault behind 400."
    neighbour: Neighbour | None = None
    "Set where the machine is another community's gateway."


@dataclass(frozen=True, slots=True)
class Register:
    """Who may call, as of one moment."""

    members: Members
    owned: Mapping[str, frozenset[Oid]] = field(default_factory=dict)
    "Facility to the identifier domains it owns."


def read_register(db: Connection) -> Register:
    """Read everything authentication asks; used as `door.snapshot(read_register)`."""
    owned: dict[str, set[Oid]] = {}
    for oid, row in domains.every(db).items():
        if row.facility:
            owned.setdefault(row.facility, set()).add(oid)
    return Register(
        facilities.snapshot(db), {name: frozenset(oids) for name, oids in owned.items()}
    )


class Authenticator:
    """Finds the peer of a connection."""

    def __init__(
        self,
        *,
        network: str,
        register: Callable[[], Register],
        known: Callable[[], Mapping[str, Neighbour]],
        today: Callable[[], date],
        revocations: Revocations,
    ) -> None:
        self._network = network
        self._register = register
        self._neighbours = known
        self._today = today
        self._revocations = revocations

    def peer(self, client: Client, request: str) -> Peer | None:
        """The peer behind a request with the request's own id, or None: 403 (J-08)."""
        register = self._register()
        if client.seen is not register:
            client.found = self._look_up(client, register)
            client.seen = register
        found: Peer | None = client.found
        if found is None:
            return None
        return Peer(
            caller=found.caller.asking(request),
            sender_fault_status=found.sender_fault_status,
            neighbour=found.neighbour,
        )

    def stranger(self, client: Client, request: str = "") -> Caller:
        """The caller of a refusal before anybody was recognised (section 5)."""
        return Caller(
            network=self._network, kind=CallerKind.SYSTEM, facility="", role="", subject="",
            facility_type=FacilityType.OTHER, certificate=client.sha256,
            address=client.address, request=request,
        )  # fmt: skip

    def _look_up(self, client: Client, register: Register) -> Peer | None:
        """From certificate to facility or neighbour."""
        if not client.certificate:
            return None
        certificate = x509.load_der_x509_certificate(client.certificate)
        if self._revocations.is_revoked(certificate):
            return None
        subject = certificate.subject.rfc4514_string()
        facility = register.members.by_certificate.get(client.sha256)
        if facility is not None:
            caller = facilities.system_caller(
                facility,
                network=self._network,
                domains=register.owned.get(facility.name, frozenset()),
            )
            return Peer(caller=self._bound(caller, client, subject))
        neighbour = self._neighbours().get(client.sha256)
        if neighbour is None or not neighbour.in_force(self._today()):
            return None
        caller = neighbours.system_caller(neighbour, network=self._network)
        return Peer(
            caller=self._bound(caller, client, subject),
            sender_fault_status=neighbour.fault_status,
            neighbour=neighbour,
        )

    def _bound(self, caller: Caller, client: Client, subject: str) -> Caller:
        return replace(
            caller, certificate=client.sha256, address=client.address, tls_subject=subject
        )

"""Neighbours: other communities, each one file `peers/<name>.yaml` with its profile of quirks.

A neighbour is refused unless it is configured, its agreement is in force, and its user's role and
purpose are mapped (XCA-03, ACC-11): what the profile does not know is refused, never guessed (G3).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import Literal
from urllib.parse import urlsplit

from gateway.errors import NotPermitted, Unauthenticated
from gateway.model import mapping as reading
from gateway.model.caller import Caller, CallerKind, LevelOfAssurance
from gateway.model.category import Category, FacilityType
from gateway.model.document import Code
from gateway.model.identifiers import HomeCommunityId, Oid
from gateway.model.mapping import MappingError
from gateway.model.network import NetworkPolicy

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_HTTP_OF_FAULTS: Mapping[str, int] = {"400": 400, "500": 500}


class NeighbourError(MappingError):
    """A neighbour's file is wrong; the text names the key."""


class Standing(Enum):
    """States of a neighbour."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What was agreed, and from when to when (XCA-03, XNW-01): both days inclusive."""

    starts: date = field(metadata={"key": "from"})
    ends: date | None = field(default=None, metadata={"key": "to"})
    categories: frozenset[Category] | None = None
    "Categories the agreement covers; None: those of the policy's `access.neighbours`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where the neighbour answers; empty where it does not."""

    query: str = ""
    retrieve: str = ""
    discovery: str = ""

    def __post_init__(self) -> None:
        """Connections go to configured https addresses only (G7)."""
        for url in (self.query, self.retrieve, self.discovery):
            parts = urlsplit(url)
            if url and (parts.scheme != "https" or not parts.hostname or parts.username):
                raise ValueError("an endpoint is an https address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """One neighbouring community."""

    name: str
    home_community_id: HomeCommunityId
    issuer: str
    "Issuer of its assertions, exactly."
    assertion_certificates: tuple[str, ...]
    "PEM files of the certificates that sign them, relative to the settings file."
    client_certificates: frozenset[str]
    "SHA-256 of its TLS client certificates, hexadecimal."
    agreement: Agreement
    endpoints: Endpoints = field(default_factory=Endpoints)
    organizations: frozenset[str] = frozenset()
    "Organization ids an assertion may name; empty: its home community id alone (SAML-ORG)."
    facility_type: FacilityType = FacilityType.OTHER
    "Where `facility_types` does not say; `other` is hit by every excluded group."
    facility_types: Mapping[str, FacilityType] = field(default_factory=dict)
    "Organization id to type of facility."
    roles: Mapping[str, str] = field(default_factory=dict)
    "Role code to a position of the network policy."
    purposes: Mapping[str, str] = field(default_factory=dict)
    "Purpose code to a purpose of the network policy."
    patient_domain: Oid | None = None
    "The domain by which it knows patients, if not by the shared patient id."
    state: Standing = Standing.ACTIVE
    "Anything but `active` is refused like a stranger; changed by `gateway peer`."
    sender_fault_status: Literal["400", "500"] = "400"
    "HTTP status of a Sender fault: 500 for clients that cannot read a fault behind 400."

    def __post_init__(self) -> None:
        """Refuse names and fingerprints that are none."""
        if not NAME.fullmatch(self.name):
            raise ValueError("name must be lower-case letters, digits and hyphens")
        if not all(_SHA256.fullmatch(digest) for digest in self.client_certificates):
            raise ValueError("client_certificates are SHA-256 in lower-case hexadecimal")
        if not self.assertion_certificates:
            raise ValueError("assertion_certificates must name at least one file")

    @property
    def fault_status(self) -> int:
        """`sender_fault_status` as a number."""
        return _HTTP_OF_FAULTS[self.sender_fault_status]

    def in_force(self, day: date) -> bool:
        """Whether the neighbour is active and the agreement covers a day."""
        agreement = self.agreement
        if self.state is not Standing.ACTIVE:
            return False
        return agreement.starts <= day and (agreement.ends is None or day <= agreement.ends)


def load(text: str, policy: NetworkPolicy) -> Neighbour:
    """Read one neighbour's file; raises `NeighbourError` naming the key."""
    try:
        values = dict(reading.parse(text))
        status = values.get("sender_fault_status")
        if isinstance(status, int) and not isinstance(status, bool):
            values["sender_fault_status"] = str(status)
        neighbour = reading.read(Neighbour, "neighbour", values)
    except MappingError as error:
        raise NeighbourError(str(error)) from error
    _check(neighbour, policy)
    return neighbour


def system_caller(neighbour: Neighbour, *, network: str) -> Caller:
    """The neighbour's machine before any assertion: it may ask nothing yet (ACC-01)."""
    return Caller(
        network=network, kind=CallerKind.NEIGHBOUR, facility=neighbour.name,
        facility_type=neighbour.facility_type, subject=neighbour.name, role="", purpose="",
        home=neighbour.home_community_id,
    )  # fmt: skip


def user_caller(
    neighbour: Neighbour,
    *,
    network: str,
    policy: NetworkPolicy,
    day: date,
    subject: str,
    roles: tuple[Code, ...],
    purposes: tuple[Code, ...],
    organization: str = "",
    home: HomeCommunityId | None = None,
    assertion: str = "",
) -> Caller:
    """The caller of a verified assertion: role and purpose as the profile maps them.

    Raises `Unauthenticated` where the assertion speaks for somebody else (SAML-ORG), and
    `NotPermitted` where the agreement, the role or the purpose does not allow it.
    """
    if home is not None and home != neighbour.home_community_id:
        raise _foreign("homeCommunityId")
    bare = organization.removeprefix("urn:oid:")
    known = neighbour.organizations or {neighbour.home_community_id}
    if organization and bare not in known and organization not in known:
        raise _foreign("organization-id")
    if not neighbour.in_force(day):
        raise NotPermitted(
            "no agreement is in force", "有効な協定がありません", rule="XCA-03", log="AUTHZ-DENY"
        )
    role = _mapped(neighbour.roles, roles)
    if not role:
        raise NotPermitted(
            "the role is not one of the agreement", "職種の対応がありません", at="role",
            rule="ACC-04", log="AUTHZ-DENY",
        )  # fmt: skip
    purpose = _mapped(neighbour.purposes, purposes)
    if not purpose:
        raise NotPermitted(
            "the purpose is not one of the agreement", "利用目的の対応がありません", at="purpose",
            rule="ACC-11", log="AUTHZ-DENY",
        )  # fmt: skip
    types = neighbour.facility_types
    covered = neighbour.agreement.categories
    return Caller(
        network=network, kind=CallerKind.NEIGHBOUR, facility=neighbour.name,
        facility_type=types.get(bare, types.get(organization, neighbour.facility_type)),
        subject=subject, role=role, purpose=purpose, assurance=LevelOfAssurance.ASSERTION,
        home=neighbour.home_community_id, assertion=assertion,
        categories=policy.access.neighbours if covered is None else covered,
    )  # fmt: skip


def _mapped(table: Mapping[str, str], codes: tuple[Code, ...]) -> str:
    """The one word that every code maps to, by `system|code` or the bare code; else none (B-16)."""
    words = {table.get(f"{code.system}|{code.code}") or table.get(code.code, "") for code in codes}
    return words.pop() if len(words) == 1 else ""


def _foreign(what: str) -> Unauthenticated:
    return Unauthenticated(
        f"the assertion's {what} is not this community's",
        "アサーションの組織が一致しません",
        check="authentication",
        rule="B-15",
        log="SAML-ORG",
    )


def _check(neighbour: Neighbour, policy: NetworkPolicy) -> None:
    """What a profile maps to must exist in the network's policy."""
    positions = policy.access.positions
    for role in neighbour.roles.values():
        if positions and role not in positions:
            raise NeighbourError(
                f"neighbour.roles: {role} is no position of the policy; "
                f"possible are {', '.join(sorted(positions))}"
            )
    for purpose in neighbour.purposes.values():
        if purpose not in policy.purposes:
            raise NeighbourError(
                f"neighbour.purposes: {purpose} is no purpose of the policy; "
                f"possible are {', '.join(sorted(policy.purposes))}"
            )
    covered = neighbour.agreement.categories
    if covered is not None and not covered <= policy.access.neighbours:
        beyond = ", ".join(sorted(c.value for c in covered - policy.access.neighbours))
        raise NeighbourError(f"neighbour.agreement.categories: the policy does not give {beyond}")

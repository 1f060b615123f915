"""Facilities: from registration to end, their certificates, contracts and categories (FAC, LNK-04).

What authentication and staging ask is read into one frozen value, `Members`, through the audit
door's snapshot, at most five seconds old.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from enum import Enum
from typing import Any

from sqlalchemy import Connection

from gateway.errors import Inconsistent, Invalid, NotFound, NotPermitted
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import Category, FacilityType
from gateway.model.identifiers import Oid
from gateway.model.periods import day_of
from gateway.store import members as rows
from gateway.store.work import Work

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
SYSTEM_POSITION = "professional_user"
"Position of a facility's machine that calls without an assertion."
PROVIDING_ONLY = frozenset({FacilityType.LAB})
"Types that bring data and read none (section 5.2)."


class State(Enum):
    """States of a facility (section 4)."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    RESTRICTED = "restricted"
    "May read, may not write (ACC-15)."
    ENDED = "ended"


class ContractKind(Enum):
    """Kinds of contract."""

    CUSTODY = "custody"
    "Data of people who have not consented may be held (STG-06)."
    PROVISION = "provision"
    "A laboratory delivers for a facility (STG-05)."


@dataclass(frozen=True, slots=True, kw_only=True)
class Facility:
    """One facility as it is registered."""

    name: str
    "NAME of `INTERFACES.md` section 5: lower-case letters, digits, hyphens."
    type: FacilityType
    state: State = State.ACTIVE
    title: str = ""
    "What people call it."
    administrator: str = ""
    code: str = ""
    "Medical institution code, ten digits."
    basis: str = ""
    "Ground of eligibility (FAC-02)."
    trust_path: bool = False
    "Whether a stored file is its path's patient's, whoever its PID names (`security.md` E-08)."

    @property
    def is_active(self) -> bool:
        """Whether its machines and users act at all (ACC-03)."""
        return self.state in (State.ACTIVE, State.RESTRICTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """One contract with its first and last day, both inclusive."""

    id: str
    kind: ContractKind
    facility: str
    lab: str = ""
    starts: date
    ends: date | None = None

    def covers(self, day: date) -> bool:
        """Whether the contract is in force on a day."""
        return self.starts <= day and (self.ends is None or day <= self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Everything the doors ask about facilities, as of one moment."""

    facilities: Mapping[str, Facility] = field(default_factory=dict)
    by_certificate: Mapping[str, Facility] = field(default_factory=dict)
    "SHA-256 of a client certificate to the active facility that has it."
    contracts: tuple[Contract, ...] = ()
    withheld: frozenset[tuple[str, Category]] = frozenset()
    "Facility and category it does not provide (STG-07)."

    def has_custody(self, facility: str, day: date) -> bool:
        """Whether a custody contract is in force (STG-06)."""
        return any(
            contract.kind is ContractKind.CUSTODY
            and contract.facility == facility
            and contract.covers(day)
            for contract in self.contracts
        )

    def delivers(self, lab: str, facility: str, day: date) -> bool:
        """Whether a laboratory may deliver for a facility (STG-05)."""
        return any(
            contract.kind is ContractKind.PROVISION
            and (contract.lab, contract.facility) == (lab, facility)
            and contract.covers(day)
            for contract in self.contracts
        )


def snapshot(db: Connection) -> Members:
    """Read everything; used as `door.snapshot(facilities.snapshot)`."""
    facilities = {row.name: _facility(row) for row in rows.select_facilities(db)}
    return Members(
        facilities=facilities,
        by_certificate={
            sha256: facilities[name]
            for sha256, name, revoked in rows.select_certificates(db)
            if not revoked and facilities[name].is_active
        },
        contracts=tuple(_contract(row) for row in rows.select_contracts(db)),
        withheld=frozenset(
            (name, Category(category)) for name, category in rows.select_withheld(db)
        ),
    )


def system_caller(facility: Facility, *, network: str, domains: frozenset[Oid]) -> Caller:
    """The caller behind a facility's client certificate (`INTERFACES.md` section 3)."""
    return Caller(
        network=network, kind=CallerKind.SYSTEM, facility=facility.name,
        facility_type=facility.type, subject=facility.name, role=SYSTEM_POSITION, domains=domains,
    )  # fmt: skip


def today(work: Work) -> date:
    """The day of this Work where the network is."""
    return day_of(work.now, work.policy.timezone)


def register(
    work: Work,
    *,
    name: str,
    type: FacilityType,
    title: str = "",
    administrator: str,
    code: str = "",
    basis: str = "",
) -> Facility:
    """Register an approved facility; it acts from now on (FAC-01, FAC-03)."""
    _require_operator(work)
    if not _NAME.fullmatch(name):
        raise Invalid(
            "a facility's name is lower-case letters, digits and hyphens",
            "施設名は英小文字・数字・ハイフンで指定してください", at="name",
        )  # fmt: skip
    if not administrator.strip():
        raise Invalid(
            "name the facility's administrator", "施設管理者が必要です", at="administrator",
            rule="FAC-03",
        )  # fmt: skip
    if rows.select_facility(work.db, name) is not None:
        raise Inconsistent("a facility of this name exists", "登録済みの施設名です", at="name")
    facility = Facility(
        name=name, type=type, title=title, administrator=administrator, code=code, basis=basis
    )
    rows.insert_facility(work.db, _row(facility))
    _event(work, name, "registered", {"type": type.value})
    return facility


def change(
    work: Work,
    name: str,
    *,
    title: str | None = None,
    administrator: str | None = None,
    code: str | None = None,
    trust_path: bool | None = None,
    reason: str = "",
) -> Facility:
    """Change what is registered; what is not given stays."""
    _require_operator(work)
    before = _require(work, name)
    if administrator is not None and not administrator.strip():
        raise Invalid("a facility keeps an administrator", "施設管理者が必要です", rule="FAC-03")
    after = replace(
        before,
        title=before.title if title is None else title,
        administrator=before.administrator if administrator is None else administrator,
        code=before.code if code is None else code,
        trust_path=before.trust_path if trust_path is None else trust_path,
    )
    rows.update_facility(work.db, _row(after))
    told = {"reason": reason} if trust_path is None else {"reason": reason, "pid": trust_path}
    _event(work, name, "changed", told)
    return after


def suspend(work: Work, name: str, *, reason: str) -> Facility:
    """Stop all its machines and users, on the next request (FAC-09)."""
    return _move(work, name, State.SUSPENDED, {State.ACTIVE, State.RESTRICTED}, reason)


def restrict(work: Work, name: str, *, reason: str) -> Facility:
    """Let it read and not write (ACC-15)."""
    return _move(work, name, State.RESTRICTED, {State.ACTIVE, State.SUSPENDED}, reason)


def resume(work: Work, name: str, *, reason: str) -> Facility:
    """Let it act again."""
    return _move(work, name, State.ACTIVE, {State.SUSPENDED, State.RESTRICTED}, reason)


def end(work: Work, name: str, *, reason: str) -> Facility:
    """End its membership for good (FAC-08); its provided data: `record.erase.leave` (WDR-04)."""
    known = {State.ACTIVE, State.SUSPENDED, State.RESTRICTED}
    return _move(work, name, State.ENDED, known, reason)


def bind_certificate(work: Work, facility: str, sha256: str) -> None:
    """Let a client certificate act for a facility; twice is once."""
    _require_operator(work)
    _require(work, facility)
    if not _SHA256.fullmatch(sha256):
        raise Invalid(
            "a fingerprint is 64 lower-case hexadecimal digits",
            "証明書の指紋はSHA-256の16進64桁です", at="sha256",
        )  # fmt: skip
    found = rows.select_certificate(work.db, sha256)
    if found == (facility, False):
        return
    if found is not None:
        raise Inconsistent(
            "this certificate was bound before: make a new one", "登録済みの証明書です", at="sha256"
        )
    rows.insert_certificate(work.db, sha256, facility)
    _event(work, facility, "certificate-bound", {"sha256": sha256})


def revoke_certificate(work: Work, sha256: str, *, facility: str = "", reason: str = "") -> None:
    """Let a client certificate, of this facility where one is named, no longer act (TRM-03)."""
    _require_operator(work)
    found = rows.select_certificate(work.db, sha256)
    if found is None or (facility and found[0] != facility):
        raise NotFound("no such certificate", "証明書が登録されていません", at="sha256")
    rows.revoke_certificate(work.db, sha256)
    _event(work, found[0], "certificate-revoked", {"sha256": sha256, "reason": reason})


def agree(
    work: Work,
    kind: ContractKind,
    *,
    facility: str,
    starts: date,
    ends: date | None = None,
    lab: str = "",
) -> Contract:
    """Enter a contract (STG-05, STG-06, LNK-04); it affects later uploads only."""
    _require_operator(work)
    _require(work, facility)
    if (kind is ContractKind.PROVISION) != bool(lab):
        raise Invalid("a provision contract names a laboratory", "検査会社が必要です", at="lab")
    if lab and _require(work, lab).type is not FacilityType.LAB:
        raise Invalid("that facility is no laboratory", "検査会社ではありません", at="lab")
    if ends is not None and ends < starts:
        raise Invalid("the contract ends before it starts", "終了日が開始日より前です", at="ends")
    contract = Contract(
        id=work.new_id(), kind=kind, facility=facility, lab=lab, starts=starts, ends=ends
    )
    rows.insert_contract(
        work.db,
        rows.ContractRow(
            contract.id, kind.value, facility, lab, starts.isoformat(),
            ends.isoformat() if ends else "",
        ),
    )  # fmt: skip
    _event(work, facility, "contract-made", {"contract": contract.id, "kind": kind.value})
    return contract


def end_contract(work: Work, contract: str, *, on: date, reason: str) -> None:
    """Let a contract end with a day."""
    _require_operator(work)
    if not reason.strip():
        raise Invalid("give a reason", "理由が必要です", at="reason")
    if on < find_contract(work, contract).starts:
        raise Invalid("the contract ends before it starts", "終了日が開始日より前です", at="on")
    rows.update_contract_end(work.db, contract, on)
    _event(work, contract, "contract-ended", {"on": on.isoformat(), "reason": reason})


def find_contract(work: Work, id: str) -> Contract:
    """One contract; raises `NotFound`."""
    for row in rows.select_contracts(work.db):
        if row.id == id:
            return _contract(row)
    raise NotFound("no such contract", "契約が登録されていません", at="contract")


def provide(work: Work, facility: str, category: Category, *, on: bool) -> None:
    """Say whether a facility provides a category (STG-07): it or the operator decides."""
    own = work.caller.facility == facility and work.caller.kind is CallerKind.USER
    if not own:
        _require_operator(work)
    _require(work, facility)
    if on:
        rows.delete_withheld(work.db, facility, category.value)
    else:
        rows.insert_withheld(work.db, facility, category.value)
    _event(work, facility, "category-on" if on else "category-off", {"category": category.value})


def find(work: Work, name: str) -> Facility:
    """One facility; raises `NotFound`."""
    return _require(work, name, locking=False)


def history(work: Work, name: str) -> list[dict[str, Any]]:
    """Every transition of one facility, oldest first."""
    return [
        {"at": at, "what": what, "by": actor, **content}
        for at, what, actor, content in rows.select_events(work.db, name)
    ]


def _move(work: Work, name: str, state: State, known: set[State], reason: str) -> Facility:
    """One transition of section 4, with its reason."""
    _require_operator(work)
    if not reason.strip():
        raise Invalid("give a reason", "理由が必要です", at="reason")
    before = _require(work, name)
    if before.state is state:
        return before
    if before.state not in known:
        raise Inconsistent(
            f"the facility is {before.state.value}", "施設の状態により変更できません", at="name"
        )
    after = replace(before, state=state)
    rows.update_facility(work.db, _row(after))
    _event(work, name, state.value, {"from": before.state.value, "reason": reason})
    return after


def _require_operator(work: Work) -> None:
    """Registries are the operator's (G-12)."""
    if work.caller.kind is not CallerKind.OPERATOR:
        raise NotPermitted(
            "only the operator changes the registries", "事務局のみが変更できます", rule="USR-07",
            log="AUTHZ-DENY",
        )  # fmt: skip


def _require(work: Work, name: str, *, locking: bool = True) -> Facility:
    row = rows.select_facility(work.db, name, locking=locking)
    if row is None:
        raise NotFound("no such facility", "施設が登録されていません", at="facility")
    return _facility(row)


def _facility(row: rows.FacilityRow) -> Facility:
    return Facility(
        name=row.name, type=FacilityType(row.kind), state=State(row.state), **row.content
    )


def _row(facility: Facility) -> rows.FacilityRow:
    content = asdict(facility)
    for key in ("name", "type", "state"):
        del content[key]
    return rows.FacilityRow(facility.name, facility.type.value, facility.state.value, content)


def _contract(row: rows.ContractRow) -> Contract:
    return Contract(
        id=row.id, kind=ContractKind(row.kind), facility=row.facility, lab=row.lab,
        starts=date.fromisoformat(row.starts),
        ends=date.fromisoformat(row.ends) if row.ends else None,
    )  # fmt: skip


def _event(work: Work, subject: str, what: str, content: dict[str, Any]) -> None:
    actor = f"{work.caller.facility}/{work.caller.subject}"
    rows.insert_event(
        work.db, at=work.now, subject=subject, what=what, actor=actor, content=content
    )
    work.trail.detail["registry"] = what
    work.trail.objects.append(subject)

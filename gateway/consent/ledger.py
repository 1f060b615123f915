"""Grants, exclusions and withdrawals: a ledger, append-only; its last words decide.

Only what the network's accepting office enters takes effect (CON-01, EXC-03); what is merely
submitted is kept as a submission. A withdrawn person joins again under a new shared id (RD-03).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gateway.consent import seals
from gateway.consent.policy import SILENT, Standing, standing_of
from gateway.errors import Inconsistent, Invalid, NotPermitted
from gateway.identity import crossref
from gateway.model.caller import Caller, CallerKind
from gateway.model.category import Category, ExclusionGroup
from gateway.model.consent import Entry, Exclusion, Grant, Withdrawal
from gateway.model.identifiers import PersonId
from gateway.model.network import Acceptance, NetworkPolicy, WithdrawalEffect
from gateway.model.signature import Sealed
from gateway.store import consent as rows
from gateway.store.work import Work

_NOT_WITHDRAWALS = frozenset({"facility_withdrawal", "retention_expired"})
"Reasons of WDR-05 that delete data without ending anybody's participation."


def entries(work: Work, person: PersonId) -> tuple[Entry, ...]:
    """The ledger of one person, oldest first; submissions are not entries."""
    read = (_read(person, row) for row in rows.select_entries(work.db, person))
    return tuple(entry for entry in read if entry is not None)


def standing(work: Work, person: PersonId) -> Standing:
    """How the person stands now: what every disclosure asks."""
    found = rows.select_standing(work.db, person)
    if not found:
        return SILENT
    if len(found) == 1 and found[0][0] == "grant":
        return _GRANTED
    at, content = work.now, rows.read_content
    return standing_of(
        entry
        for kind, text in found
        if (entry := _read(person, rows.EntryRow(kind, at, "", content(text)))) is not None
    )


def grant_of(work: Work, person: PersonId) -> Grant:
    """The grant in effect: evidence for linking (LNK-01); raises `Inconsistent` without one."""
    last: Grant | None = None
    for entry in entries(work, person):
        match entry:
            case Grant():
                last = entry
            case Withdrawal():
                last = None
    if last is None:
        raise Inconsistent(
            "no consent is in effect: enter the accepted consent first",
            "有効な同意がありません。先に同意の受理を登録してください",
            rule="CON-01",
        )
    return last


def submit(work: Work, person: PersonId, *, signed_by: str, form_sha256: str = "") -> None:
    """Keep that a form was handed in; nothing is in effect by it (CON-01, EXC-03)."""
    _check_signer(work.policy, signed_by)
    _note(work, person)
    content = {"signed_by": signed_by, "form": form_sha256}
    rows.insert_entry(work.db, person, _row(work, "submission", work.now, content))


def check(work: Work, *, signed_by: str, basis: str, sealed: Sealed | None = None) -> None:
    """Refuse what `grant` would refuse of its own arguments and caller."""
    _require_office(work, "CON-01")
    _check_signer(work.policy, signed_by)
    _check_basis(work.policy, basis)
    _require_seal(work, "consent", sealed)


def grant(
    work: Work,
    person: PersonId,
    *,
    signed_by: str,
    basis: str = "",
    form_sha256: str = "",
    sealed: Sealed | None = None,
) -> Grant:
    """Enter an accepted consent; it is in effect from now on. The same twice is once.

    `sealed` is the signed document that the network may want for it (SIG-05).
    """
    check(work, signed_by=signed_by, basis=basis, sealed=sealed)
    _note(work, person)
    before = standing(work, person)
    if before.withdrawn and work.policy.withdrawal.effect is WithdrawalEffect.DELETE:
        raise Inconsistent(
            "the person withdrew: enrol anew, with a new shared id",
            "撤回済みです。新しい共有IDで再登録してください",
            rule="RD-03",
        )
    if before.participates:
        return grant_of(work, person)
    content = {"signed_by": signed_by, "basis": basis, "form": form_sha256, **_sealed(sealed)}
    rows.insert_entry(work.db, person, _row(work, "grant", work.now, content))
    return Grant(
        person=person, at=work.now, by=_actor(work.caller), signed_by=signed_by, basis=basis,
        form_sha256=form_sha256, document="" if sealed is None else sealed.sha256,
    )  # fmt: skip


def exclude(
    work: Work,
    person: PersonId,
    *,
    items: Iterable[Category] = (),
    groups: Iterable[ExclusionGroup] = (),
    pairs: Iterable[tuple[Category, ExclusionGroup]] = (),
    sealed: Sealed | None = None,
) -> Exclusion:
    """Enter what is excluded from now on; it replaces what was excluded before (EXC-01, EXC-02)."""
    _require_office(work, "EXC-03")
    _require_seal(work, "exclusion", sealed)
    exclusion = Exclusion(
        person=person, at=work.now, by=_actor(work.caller), items=frozenset(items),
        groups=frozenset(groups), pairs=frozenset(pairs),
        document="" if sealed is None else sealed.sha256,
    )  # fmt: skip
    rule = work.policy.exclusion
    asked_items = exclusion.items | {item for item, _ in exclusion.pairs}
    asked_groups = exclusion.groups | {group for _, group in exclusion.pairs}
    if not (asked_items <= rule.items and asked_groups <= rule.groups):
        raise Invalid(
            "this network's patients cannot exclude that: see `gateway policy show`",
            "このネットワークでは除外できない項目です",
            rule="EXC-01",
        )
    _note(work, person)
    grant_of(work, person)
    content = {
        "items": sorted(item.value for item in exclusion.items),
        "groups": sorted(group.value for group in exclusion.groups),
        "pairs": sorted([item.value, group.value] for item, group in exclusion.pairs),
        **_sealed(sealed),
    }
    rows.insert_entry(work.db, person, _row(work, "exclusion", work.now, content))
    return exclusion


def withdraw(
    work: Work,
    person: PersonId,
    *,
    reason: str,
    form: str = "",
    sealed: Sealed | None = None,
    again: bool = False,
) -> Withdrawal:
    """Enter a withdrawal: evidence for `record.erase`. From its commit on, nothing is shown.

    `again` is one that a restore lost: what it needs was there when it was entered first.
    """
    _require_office(work, "WDR-01")
    if not again:
        _require_seal(work, "withdrawal", sealed)
    rule = work.policy.withdrawal
    if reason not in rule.reasons or reason in _NOT_WITHDRAWALS:
        possible = ", ".join(r for r in rule.reasons if r not in _NOT_WITHDRAWALS)
        raise Inconsistent(
            f"not a reason for a withdrawal: possible are {possible}",
            f"撤回の理由ではありません（{possible}）",
            at="reason",
            rule="WDR-05",
        )
    if rule.form_required and not form.strip():
        raise Invalid(
            "the withdrawal form or request must be on record: name it",
            "撤回書（申出）の記録が必要です",
            at="form",
            rule="WDR-02",
        )
    _note(work, person)
    grant_of(work, person)
    content = {"reason": reason, "form": form, **_sealed(sealed)}
    rows.insert_entry(work.db, person, _row(work, "withdrawal", work.now, content))
    return Withdrawal(
        person=person, at=work.now, by=_actor(work.caller), reason=reason, form=form,
        document="" if sealed is None else sealed.sha256,
    )  # fmt: skip


def participants(work: Work) -> frozenset[PersonId]:
    """Everybody who takes part now, for the consistency check (AUD-05)."""
    return frozenset(rows.select_participants(work.db))


def _require_office(work: Work, rule: str) -> None:
    """Only the office that the network names makes an entry effective (CON-01, EXC-03)."""
    caller, accepted = work.caller, work.policy.consent.accepted_by
    match accepted:
        case Acceptance.USER:
            holds = caller.kind in (CallerKind.USER, CallerKind.OPERATOR)
        case Acceptance.OPERATOR:
            holds = caller.kind is CallerKind.OPERATOR
        case Acceptance.SECRETARIAT:
            office = Acceptance.SECRETARIAT.value
            holds = caller.kind is CallerKind.OPERATOR and office in (caller.role, caller.facility)
    if not holds:
        raise NotPermitted(
            f"only the {accepted.value} may enter this",
            "受理権限のある事務局のみが登録できます",
            rule=rule,
            log="CONSENT-EDIT",
        )


def _require_seal(work: Work, kind: seals.Kind, sealed: Sealed | None) -> None:
    """The signed document that the network wants for this kind of entry is there (SIG-05)."""
    if sealed is not None:
        note = f"sha256:{sealed.sha256}"
        if note not in work.trail.objects:
            work.trail.objects.append(note)
        work.trail.detail["verdict"] = sealed.report.indication.value
    seals.require(work.policy.signature, kind, sealed)


def _sealed(sealed: Sealed | None) -> dict[str, str]:
    return {} if sealed is None else {"document": sealed.sha256}


def _check_signer(policy: NetworkPolicy, signed_by: str) -> None:
    """Who signed, and on what ground: `guardian` or `guardian: 父` (CON-04, CON-05)."""
    if signed_by.partition(":")[0].strip() not in policy.consent.signers:
        raise Invalid(
            f"say who signed: {', '.join(policy.consent.signers)}",
            "署名者の区分が必要です",
            at="signed_by",
            rule="CON-04",
        )


def _check_basis(policy: NetworkPolicy, basis: str) -> None:
    """On what ground the person may take part (CON-02)."""
    if policy.consent.bases and basis not in policy.consent.bases:
        raise Invalid(
            f"say on what ground the person may take part: {', '.join(policy.consent.bases)}",
            "参加資格の根拠が必要です",
            at="basis",
            rule="CON-02",
        )


def _note(work: Work, person: PersonId) -> None:
    """Lock the person against other entries, and name the patient in the trail."""
    crossref.lock(work, person)
    shared = crossref.shared_id(work, person)
    if shared is None:
        raise Inconsistent(
            "the person has no shared patient id", "共有IDがありません", rule="LNK-01"
        )
    work.trail.patients.add(shared)


def _actor(caller: Caller) -> str:
    return f"{caller.facility}/{caller.subject}"


def _row(work: Work, kind: str, at: datetime, content: dict[str, Any]) -> rows.EntryRow:
    return rows.EntryRow(kind, at, _actor(work.caller), content)


def _read(person: PersonId, row: rows.EntryRow) -> Entry | None:
    """One stored line as its value."""
    content = row.content
    match row.kind:
        case "grant":
            return Grant(
                person=person, at=row.at, by=row.actor, signed_by=content["signed_by"],
                basis=content["basis"], form_sha256=content["form"],
                document=content.get("document", ""),
            )  # fmt: skip
        case "withdrawal":
            return Withdrawal(
                person=person, at=row.at, by=row.actor, reason=content["reason"],
                form=content["form"], document=content.get("document", ""),
            )  # fmt: skip
        case "exclusion":
            return Exclusion(
                person=person, at=row.at, by=row.actor,
                items=frozenset(Category(item) for item in content["items"]),
                groups=frozenset(ExclusionGroup(group) for group in content["groups"]),
                pairs=frozenset(
                    (Category(item), ExclusionGroup(group)) for item, group in content["pairs"]
                ),
                document=content.get("document", ""),
            )  # fmt: skip
    return None


_GRANTED = Standing(participates=True)

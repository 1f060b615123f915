"""Who may send for whom, and about whom, before any byte is kept (STG-05, ACC-03, G-01)."""

from gateway.errors import Invalid, Malformed, NotOwner, NotPermitted
from gateway.identity import domains
from gateway.members import facilities
from gateway.members.facilities import State
from gateway.model.caller import CallerKind
from gateway.model.category import Source
from gateway.model.identifiers import Oid, PatientId
from gateway.store.work import Work


def require(work: Work, facility: str, source: Source) -> None:
    """A facility sends for itself; a laboratory for those it has a contract with (STG-05)."""
    members = facilities.snapshot(work.db)
    target, sender = members.facilities.get(facility), work.caller.facility
    active = target is not None and target.state is State.ACTIVE
    if work.caller.kind is CallerKind.OPERATOR and active:
        return
    own = members.facilities.get(sender)
    if not active or own is None or own.state is not State.ACTIVE:
        raise _not_for(facility, "ACC-03")
    if sender == facility:
        return
    if source is not Source.LAB or not members.delivers(sender, facility, facilities.today(work)):
        raise _not_for(facility, "STG-05")


def _not_for(facility: str, rule: str) -> NotPermitted:
    return NotPermitted(
        "no contract to deliver for this facility",
        "この施設のデータ提供契約がありません",
        at="facility",
        rule=rule,
        log="AUTHZ-DENY",
    )


def read_stated(work: Work, facility: str, text: str) -> str:
    """The value of a stated chart id: bare, or as `id^^^&oid&ISO` (CX; ITI TF-3: 4.2.3.1.7).

    Only of the domain that belongs to the facility it is delivered for (DOM-02, G-01).
    """
    value, mark, authority = text.partition("^^^")
    if mark:
        try:
            stated = Oid(authority.removeprefix("&").removesuffix("&ISO"))
        except Malformed as error:
            raise Invalid(
                "not a chart id: send it bare, or as id^^^&oid&ISO",
                "カルテIDのみ、または id^^^&oid&ISO の形式で指定してください",
                at="patient", rule="DOM-01",
            ) from error  # fmt: skip
        if stated != domains.chart_domain(work, facility):
            raise NotOwner(
                "a chart id of another facility cannot be stated",
                "他施設のカルテIDは指定できません",
                at="patient", rule="DOM-02", log="AUTH-SPOOF",
            )  # fmt: skip
    require_stated(work, facility, value)
    return value


def require_stated(work: Work, facility: str, value: str) -> None:
    """A chart id stated beside an upload is one of the facility's own domain (G-01, DOM-01)."""
    domain = domains.chart_domain(work, facility)
    if domain is None:
        raise Invalid("the facility has no one chart id domain", "カルテIDドメインがありません",
                      at="patient", rule="G-01")  # fmt: skip
    try:
        domains.require(work, PatientId(domain, value))
    except Malformed as error:
        raise Invalid("the chart id has not the form of its domain", error.japanese, at="patient",
                      rule="DOM-01") from error  # fmt: skip

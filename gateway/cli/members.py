"""`gateway facility|contract|domain …`: the registries (FAC, LNK-04, DOM-03)."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.common import configured, emit, speaking, table
from gateway.cli.quality import quality

if TYPE_CHECKING:
    from gateway.members.facilities import Facility
    from gateway.members.users import User


@click.group("facility")
def facility() -> None:
    """施設。Facilities: add, list, show, change, suspend, restrict, resume, end, history."""


@facility.command("add")
@click.argument("name")
@click.option("--type", "kind", required=True, help="hospital, clinic, pharmacy, lab …")
@click.option("--title", default="", help="What people call it. 名称。")
@click.option("--administrator", required=True, help="施設管理者 (FAC-03).")
@click.option("--basis", default="association_member", show_default=True)
@click.option("--code", default="", help="医療機関コード, ten digits.")
@click.option("--certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@configured
def facility_add(
    name: str, *, kind: str, title: str, administrator: str, basis: str, code: str,
    certificate: Path | None, config: Path, as_json: bool,
) -> None:  # fmt: skip
    """施設を登録します。Register a facility, with its client certificate."""
    from gateway.cli import opened
    from gateway.cli.certificates import fingerprint_of
    from gateway.members import facilities
    from gateway.model.audit import EventKind
    from gateway.model.category import FacilityType

    with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
        found = facilities.register(
            work, name=name, type=opened.word(FacilityType, kind, "type"), title=title,
            administrator=administrator, code=code, basis=basis,
        )  # fmt: skip
        if certificate is not None:
            facilities.bind_certificate(work, name, fingerprint_of(certificate))
    emit(opened.plain(found), as_json=as_json, text=lambda: [f"registered {name}"])


@facility.command("list")
@configured
def facility_list(*, config: Path, as_json: bool) -> None:
    """施設を一覧します。List facilities and their state."""
    from gateway.cli import opened
    from gateway.members import facilities
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        found = sorted(facilities.snapshot(work.db).facilities.values(), key=lambda f: f.name)
    emit(
        [opened.plain(item) for item in found],
        as_json=as_json,
        text=lambda: table(
            ("name", "type", "state", "title"),
            [(item.name, item.type.value, item.state.value, item.title) for item in found],
        ),
    )


@facility.command("show")
@click.argument("name")
@configured
def facility_show(name: str, *, config: Path, as_json: bool) -> None:
    """施設を表示します。Show one facility, its contracts and identifier domains."""
    from gateway.cli import opened
    from gateway.identity import domains
    from gateway.members import facilities
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        found = facilities.find(work, name)
        contracts = [c for c in facilities.snapshot(work.db).contracts if c.facility == name]
        owned = [oid for oid, row in domains.every(work.db).items() if row.facility == name]
    value = {
        **opened.plain(found), "domains": owned, "contracts": opened.plain(contracts),
    }  # fmt: skip
    emit(
        value,
        as_json=as_json,
        text=lambda: table(
            ("name", "type", "state", "title", "domains", "contracts"),
            [(found.name, found.type.value, found.state.value, found.title, " ".join(owned),
              " ".join(c.kind.value for c in contracts))],
        ),
    )  # fmt: skip


@facility.command("change")
@click.argument("name")
@click.option("--title", help="What people call it. 名称。")
@click.option("--administrator", help="施設管理者 (FAC-03).")
@click.option("--code", help="医療機関コード, ten digits.")
@click.option(
    "--pid",
    type=click.Choice(["trust-path", "set-aside"]),
    help="SS-MIX2 files whose PID is not their path's. パスと PID が異なるファイルの扱い。",
)
@click.option(
    "--bind",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A client certificate that acts for it from now on. 証明書の追加。",
)
@click.option("--revoke", default="", help="SHA-256 of one that no longer does. 証明書の失効。")
@click.option("--reason", required=True, help="理由。")
@configured
def facility_change(
    name: str, *, title: str | None, administrator: str | None, code: str | None,
    pid: str | None, bind: Path | None, revoke: str, reason: str, config: Path, as_json: bool,
) -> None:  # fmt: skip
    """施設の登録を変更します。Change what is registered; what is not given stays."""
    from gateway.cli import opened
    from gateway.cli.certificates import fingerprint_of
    from gateway.members import facilities
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
        found = facilities.change(
            work, name, title=title, administrator=administrator, code=code, reason=reason,
            trust_path=None if pid is None else pid == "trust-path",
        )  # fmt: skip
        if bind is not None:
            facilities.bind_certificate(work, name, fingerprint_of(bind))
        if revoke:
            facilities.revoke_certificate(work, revoke, facility=name, reason=reason)
    emit(opened.plain(found), as_json=as_json, text=lambda: [f"changed {name}"])


@facility.command("history")
@click.argument("name")
@configured
def facility_history(name: str, *, config: Path, as_json: bool) -> None:
    """施設の履歴を表示します。Every transition of one facility, oldest first."""
    from gateway.cli import opened
    from gateway.members import facilities
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        facilities.find(work, name)
        found = facilities.history(work, name)
    emit(opened.plain(found), as_json=as_json, text=lambda: history_lines(found))


def history_lines(found: "list[dict[str, Any]]") -> "Iterable[str]":
    """Transitions as a table."""
    return table(
        ("at", "what", "by", "reason"),
        [(one["at"].isoformat(), one["what"], one["by"], one.get("reason", "")) for one in found],
    )


def moving(what: str, verb: str, japanese: str) -> click.Command:
    """`gateway facility|user suspend|resume|end NAME --reason TEXT`."""

    @click.command(verb, help=f"{japanese} {verb.capitalize()} a {what}; on the next request.")
    @click.argument("name")
    @click.option("--reason", required=True, help="理由。")
    @configured
    def command(name: str, *, reason: str, config: Path, as_json: bool) -> None:
        from gateway.cli import opened
        from gateway.members import facilities, users
        from gateway.model.audit import EventKind

        do: Callable[..., Facility | User] = getattr(
            facilities if what == "facility" else users, verb
        )
        with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
            found = do(work, name, reason=reason)
        emit(opened.plain(found), as_json=as_json, text=lambda: [f"{name}: {found.state.value}"])

    return command


MOVES = (("suspend", "停止します。"), ("resume", "再開します。"), ("end", "終了します。"))
for _verb, _japanese in (*MOVES, ("restrict", "閲覧のみに制限します。")):
    facility.add_command(moving("facility", _verb, _japanese))
facility.add_command(quality)


@click.group("contract")
def contract() -> None:
    """契約。Contracts: custody, and a laboratory's provision (STG-05, STG-06)."""


@contract.command("list")
@configured
def contract_list(*, config: Path, as_json: bool) -> None:
    """契約を一覧します。List contracts."""
    from gateway.cli import opened
    from gateway.members import facilities
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        found = facilities.snapshot(work.db).contracts
    emit(
        opened.plain(found),
        as_json=as_json,
        text=lambda: table(
            ("id", "kind", "facility", "lab", "starts", "ends"),
            [(c.id, c.kind.value, c.facility, c.lab, c.starts, c.ends or "") for c in found],
        ),
    )


@contract.command("add")
@click.argument("kind", type=click.Choice(["custody", "provision"]))
@click.option("--facility", "at", required=True)
@click.option("--lab", default="")
@click.option("--starts", required=True, help="YYYY-MM-DD")
@click.option("--ends", default="", help="YYYY-MM-DD, inclusive")
@configured
def contract_add(
    kind: str, *, at: str, lab: str, starts: str, ends: str, config: Path, as_json: bool
) -> None:
    """契約を登録します。Register a contract."""
    from gateway.cli import opened
    from gateway.members import facilities
    from gateway.members.facilities import ContractKind
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
        found = facilities.agree(
            work, ContractKind(kind), facility=at, lab=lab, starts=opened.day(starts, "starts"),
            ends=opened.day(ends, "ends") if ends else None,
        )  # fmt: skip
    emit(opened.plain(found), as_json=as_json, text=lambda: [f"contract {found.id}"])


@contract.command("show")
@click.argument("id")
@configured
def contract_show(id: str, *, config: Path, as_json: bool) -> None:
    """契約を表示します。Show one contract."""
    from gateway.cli import opened
    from gateway.members import facilities
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        found = facilities.find_contract(work, id)
    emit(
        opened.plain(found),
        as_json=as_json,
        text=lambda: [f"{found.kind.value} {found.facility} {found.lab}: "
                      f"{found.starts} to {found.ends or 'open'}"],
    )  # fmt: skip


@contract.command("end")
@click.argument("id")
@click.option("--on", "day", required=True, help="Last day, YYYY-MM-DD. 最終日。")
@click.option("--reason", required=True, help="理由。")
@configured
def contract_end(id: str, *, day: str, reason: str, config: Path, as_json: bool) -> None:
    """契約を終了します。Let a contract end with a day; it affects later uploads only."""
    from gateway.cli import opened
    from gateway.members import facilities
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
        facilities.end_contract(work, id, on=opened.day(day, "on"), reason=reason)
        found = facilities.find_contract(work, id)
    emit(opened.plain(found), as_json=as_json, text=lambda: [f"ends with {found.ends}"])


@click.group("domain")
def domain() -> None:
    """IDドメイン。Identifier domains: add, list (DOM-03)."""


@domain.command("add")
@click.argument("oid")
@click.option("--kind", type=click.Choice(["shared", "chart", "neighbour"]), required=True)
@click.option("--facility", "at", default="")
@click.option("--pattern", default="", help="What a value must match. 正規表現。")
@configured
def domain_add(oid: str, *, kind: str, at: str, pattern: str, config: Path, as_json: bool) -> None:
    """IDドメインを登録します。Declare an identifier domain."""
    from gateway.cli import opened
    from gateway.identity import domains
    from gateway.model.audit import EventKind
    from gateway.model.identifiers import Oid

    with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
        domains.declare(work, Oid(oid), kind=kind, facility=at, pattern=pattern)
    emit({"domain": oid}, as_json=as_json, text=lambda: [f"declared {oid}"])


@domain.command("list")
@configured
def domain_list(*, config: Path, as_json: bool) -> None:
    """IDドメインを一覧します。List identifier domains."""
    from gateway.cli import opened
    from gateway.identity import domains
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        found = list(domains.every(work.db).values())
    emit(
        [opened.plain(item) for item in found],
        as_json=as_json,
        text=lambda: table(
            ("oid", "kind", "facility", "pattern"),
            [(item.oid, item.kind, item.facility, item.pattern) for item in found],
        ),
    )


@domain.command("show")
@click.argument("oid")
@configured
def domain_show(oid: str, *, config: Path, as_json: bool) -> None:
    """IDドメインを表示します。Show one identifier domain."""
    from gateway.cli import opened
    from gateway.errors import NotFound
    from gateway.identity import domains
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        found = domains.every(work.db).get(opened.oid(oid))
        if found is None:
            raise NotFound("no such domain", "ドメインが登録されていません", at="oid")
    emit(
        opened.plain(found),
        as_json=as_json,
        text=lambda: [f"{found.oid} {found.kind} {found.facility} {found.pattern}"],
    )

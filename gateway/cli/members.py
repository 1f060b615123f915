"""`gateway facility|user|contract|domain …`: the registries (FAC, USR, LNK-04, DOM-03)."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gateway.cli.common import configured, emit, speaking, table

if TYPE_CHECKING:
    from gateway.members.facilities import Facility
    from gateway.members.users import User


@click.group("facility")
def facility() -> None:
    """施設。Facilities: add, list, show, suspend, resume, end."""


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


def _moving(what: str, verb: str, japanese: str) -> click.Command:
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


_MOVES = (("suspend", "停止します。"), ("resume", "再開します。"), ("end", "終了します。"))
for _verb, _japanese in _MOVES:
    facility.add_command(_moving("facility", _verb, _japanese))


@click.group("user")
def user() -> None:
    """利用者。Users: add, list, suspend, resume, end."""


for _verb, _japanese in _MOVES:
    user.add_command(_moving("user", _verb, _japanese))


@user.command("add")
@click.argument("name")
@click.option("--facility", "at", required=True)
@click.option("--position", required=True, help="職種。")
@configured
def user_add(name: str, *, at: str, position: str, config: Path, as_json: bool) -> None:
    """利用者を登録します。Register a user of a facility."""
    from gateway.cli import opened
    from gateway.members import users
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
        found = users.register(work, name=name, facility=at, position=position)
    emit(opened.plain(found), as_json=as_json, text=lambda: [f"registered {name}"])


@user.command("list")
@configured
def user_list(*, config: Path, as_json: bool) -> None:
    """利用者を一覧します。List users."""
    from gateway.cli import opened
    from gateway.members import users
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        found = users.every(work)
    emit(
        [opened.plain(item) for item in found],
        as_json=as_json,
        text=lambda: table(
            ("name", "facility", "position", "state"),
            [(item.name, item.facility, item.position, item.state.value) for item in found],
        ),
    )


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

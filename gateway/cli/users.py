"""`gateway user …`: one id per person, at one facility, with one position (USR-01)."""

from pathlib import Path

import click

from gateway.cli.accounts import account
from gateway.cli.cards import card
from gateway.cli.common import configured, emit, speaking, table
from gateway.cli.members import MOVES, moving
from gateway.cli.passwords import user_password


@click.group("user")
def user() -> None:
    """利用者。Users: add, list, show, change, suspend, resume, end; card, account, password."""


user.add_command(card)
user.add_command(account)
user.add_command(user_password)
for _verb, _japanese in MOVES:
    user.add_command(moving("user", _verb, _japanese))


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


@user.command("show")
@click.argument("name")
@configured
def user_show(name: str, *, config: Path, as_json: bool) -> None:
    """利用者を表示します。Show one user and what became of it."""
    from gateway.cli import opened
    from gateway.cli.members import history_lines
    from gateway.members import ids, users
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        found, past = users.find(work, name), users.history(work, name)
        login = ids.current(work.db, name)
    typed = None if login is None else login.written
    value = {**opened.plain(found), "login_id": typed, "history": opened.plain(past)}
    emit(
        value,
        as_json=as_json,
        text=lambda: [f"{found.name} {found.facility} {found.position} {found.state.value}",
                      f"login id / ログインID: {typed or '-'}",
                      *history_lines(past)],
    )  # fmt: skip


@user.command("change")
@click.argument("name")
@click.option("--position", help="職種。")
@click.option("--title", help="What people call them. 表示名。")
@click.option("--reason", required=True, help="理由。")
@configured
def user_change(
    name: str, *, position: str | None, title: str | None, reason: str, config: Path, as_json: bool
) -> None:
    """利用者の登録を変更します。Change what is registered; what is not given stays."""
    from gateway.cli import opened
    from gateway.members import users
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
        found = users.change(work, name, position=position, title=title, reason=reason)
    emit(opened.plain(found), as_json=as_json, text=lambda: [f"changed {name}"])

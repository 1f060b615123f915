"""`gateway user card …`: doctor cards of users (SIG-04)."""

from pathlib import Path

import click

from gateway.cli.common import configured, emit, speaking, table


@click.group("card")
def card() -> None:
    """医師資格証などのカード。Cards by which a user logs in: add, list, end."""


@card.command("add")
@click.argument("user")
@click.argument("certificate", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@configured
def card_add(user: str, *, certificate: Path, config: Path, as_json: bool) -> None:
    """カードを利用者に登録します。Bind the card of a log-in CERTIFICATE (PEM or DER) to a USER.

    更新後の証明書も同じカードとして扱います。A renewed certificate of the holder stays bound.
    """
    from gateway.cli import opened
    from gateway.cli.certificates import der_of
    from gateway.hpki import login
    from gateway.members import cards
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
        read, roles = login.to_register(der_of(certificate))
        found = cards.bind(
            work, user, key=read.key, number=read.number, subject=read.subject,
            authority=read.authority, roles=roles,
        )  # fmt: skip
    emit(
        opened.plain(found),
        as_json=as_json,
        text=lambda: [f"bound {found.number} ({found.subject}) to {user}"],
    )


@card.command("list")
@click.argument("user")
@configured
def card_list(user: str, *, config: Path, as_json: bool) -> None:
    """利用者のカードを一覧します。List the cards of a user."""
    from gateway.cli import opened
    from gateway.members import cards, users
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        users.find(work, user)
        found = cards.of(work, user)
    emit(
        [opened.plain(one) for one in found],
        as_json=as_json,
        text=lambda: table(
            ("number", "subject", "authority", "roles"),
            [(one.number, one.subject, one.authority, ", ".join(one.roles)) for one in found],
        ),
    )


@card.command("end")
@click.argument("user")
@click.argument("number")
@click.option("--reason", required=True, help="理由。")
@configured
def card_end(user: str, number: str, *, reason: str, config: Path, as_json: bool) -> None:
    """カードの登録を解除します。Take a card from a user; whoever it logged in is out."""
    from gateway.cli import opened
    from gateway.members import cards
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
        found = cards.unbind(work, user, number, reason=reason)
    emit(opened.plain(found), as_json=as_json, text=lambda: [f"ended {number} of {user}"])

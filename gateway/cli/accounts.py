"""`gateway user account …`: accounts of users at the configured OpenID provider (SIG-04)."""

from pathlib import Path

import click

from gateway.cli.common import configured, emit, speaking, table
from gateway.settings import OidcSettings, SettingsError, load


@click.group("account")
def account() -> None:
    """カードレス認証のアカウント。Accounts at the OpenID provider: add, list, end."""


@account.command("add")
@click.argument("user")
@click.argument("subject")
@configured
def account_add(user: str, subject: str, *, config: Path, as_json: bool) -> None:
    """アカウントを利用者に登録します。Bind the provider's SUBJECT to a USER.

    SUBJECT は `[oidc] subject_claim` の値です。SUBJECT is the value of `[oidc] subject_claim`.
    """
    from gateway.cli import opened
    from gateway.members import accounts
    from gateway.members.accounts import Account
    from gateway.model.audit import EventKind

    with speaking():
        provider = _provider(config)
        named = Account(issuer=provider.issuer, claim=provider.subject_claim, subject=subject)
        with opened.work(config, EventKind.ADMIN) as (_, work):
            found = accounts.bind(work, user, named)
    emit(
        {**opened.plain(found), "user": user, "key": found.key},
        as_json=as_json,
        text=lambda: [f"bound {found.claim} {subject} at {found.issuer} to {user}"],
    )


@account.command("list")
@click.argument("user")
@configured
def account_list(user: str, *, config: Path, as_json: bool) -> None:
    """利用者のアカウントを一覧します。List the accounts of a user."""
    from gateway.cli import opened
    from gateway.members import accounts, users
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
        users.find(work, user)
        found = accounts.of(work, user)
    emit(
        [{**opened.plain(one), "key": one.key} for one in found],
        as_json=as_json,
        text=lambda: table(
            ("claim", "subject", "issuer"),
            [(one.claim, one.subject, one.issuer) for one in found],
        ),
    )


@account.command("end")
@click.argument("user")
@click.argument("subject")
@click.option("--reason", required=True, help="理由。")
@configured
def account_end(user: str, subject: str, *, reason: str, config: Path, as_json: bool) -> None:
    """アカウントの登録を解除します。Take an account from a user; whoever it logged in is out."""
    from gateway.cli import opened
    from gateway.members import accounts
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN) as (_, work):
        found = accounts.unbind(work, user, subject, reason=reason)
    emit(opened.plain(found), as_json=as_json, text=lambda: [f"ended {subject} of {user}"])


def _provider(config: Path) -> OidcSettings:
    provider = load(config).oidc
    if not provider.issuer:
        raise SettingsError("[oidc] issuer is not set: name the provider there first")
    return provider

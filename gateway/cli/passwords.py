"""`gateway user password`: a temporary password, shown once (CRD-01, CRD-06, CRD-07)."""

from pathlib import Path

import click

from gateway.cli.common import configured, emit, speaking


@click.command("password")
@click.argument("user")
@click.option("--end", is_flag=True, help="パスワードを無効にします。Take the password away.")
@click.option("--reason", default="", help="理由(--end)。")
@configured
def user_password(user: str, *, end: bool, reason: str, config: Path, as_json: bool) -> None:
    """仮パスワードを発行します。Give a USER a temporary password; it is shown here and never again.

    最初のログインで変更します。It must be changed before anything else. 再発行も同じ操作です。
    """
    import secrets
    from datetime import timedelta

    from gateway.cli import opened
    from gateway.members import passwords
    from gateway.model import chance
    from gateway.model.audit import EventKind
    from gateway.model.passwords import digest
    from gateway.settings import load

    with speaking():
        if end:
            with opened.work(config, EventKind.ADMIN) as (_, work):
                passwords.withdraw(work, user, reason=reason)
            emit({"user": user}, as_json=as_json, text=lambda: [f"ended the password of {user}"])
            return
        holds = timedelta(hours=load(config).login.temporary_hours)
        temporary = chance.new_password()
        kept = digest(temporary, secrets.token_bytes(16))
        with opened.work(config, EventKind.ADMIN) as (_, work):
            ends = passwords.issue(work, user, kept, holds=holds)
    emit(
        {"user": user, "temporary": temporary, "ends": ends},
        as_json=as_json,
        text=lambda: [temporary, f"until {ends.isoformat()}; it must be changed at first"],
    )

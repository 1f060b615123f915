"""`gateway user password`: a temporary password, shown once (CRD-01, CRD-05 to CRD-07)."""

from pathlib import Path

import click

from gateway.cli.common import configured, emit, speaking


@click.command("password")
@click.argument("user")
@click.option(
    "--manager", default="", help="USER of the facility who hands it over. 引き渡す管理者。"
)
@click.option("--in-person", is_flag=True, help="Not by a manager. 管理者を介さず引き渡します。")
@click.option("--end", is_flag=True, help="パスワードを無効にします。Take the password away.")
@click.option("--reason", default="", help="理由(--end)。")
@configured
def user_password(
    user: str, *, manager: str, in_person: bool, end: bool, reason: str, config: Path, as_json: bool
) -> None:
    """仮パスワードを発行します。Give a USER a temporary password; it is shown here and never again.

    最初のログインで変更します。It must be changed before anything else. 再発行も同じ操作です。
    管理者が引き渡すネットワークでは --manager で指定し、表示されるコードを渡します。
    Where managers hand passwords over, name one, and give them the code that is shown.
    """
    if manager and (in_person or end):
        raise click.UsageError("--manager goes alone / --manager は単独で指定します")
    with speaking():
        if end:
            _end(user, reason, config, as_json=as_json)
        elif manager:
            _prepare(user, manager, config, as_json=as_json)
        else:
            _issue(user, config, in_person=in_person, as_json=as_json)


def _end(user: str, reason: str, config: Path, *, as_json: bool) -> None:
    from gateway.cli import opened
    from gateway.members import passwords
    from gateway.model.audit import EventKind

    with opened.work(config, EventKind.ADMIN) as (_, work):
        passwords.withdraw(work, user, reason=reason)
    emit({"user": user}, as_json=as_json, text=lambda: [f"ended the password of {user}"])


def _prepare(user: str, manager: str, config: Path, *, as_json: bool) -> None:
    from datetime import timedelta

    from gateway.cli import opened
    from gateway.members import handovers
    from gateway.model import chance
    from gateway.model.audit import EventKind
    from gateway.settings import load

    holds = timedelta(hours=load(config).login.temporary_hours)
    code = chance.new_secret()
    with opened.work(config, EventKind.ADMIN) as (_, work):
        ends = handovers.prepare(work, user, manager, code, holds=holds)
    emit(
        {"user": user, "manager": manager, "code": code, "ends": ends},
        as_json=as_json,
        text=lambda: [
            code,
            f"until {ends.isoformat()}: {manager} logs in and enters it; id and password are shown"
            " once",
            "管理者がログインして入力すると、IDと仮パスワードが一度だけ表示されます。",
        ],
    )


def _issue(user: str, config: Path, *, in_person: bool, as_json: bool) -> None:
    import secrets
    from datetime import timedelta

    from gateway.cli import opened
    from gateway.members import passwords
    from gateway.model import chance
    from gateway.model.audit import EventKind
    from gateway.model.passwords import digest
    from gateway.settings import load

    holds = timedelta(hours=load(config).login.temporary_hours)
    temporary = chance.new_password()
    kept = digest(temporary, secrets.token_bytes(16))
    with opened.work(config, EventKind.ADMIN) as (_, work):
        issued = passwords.issue(work, user, kept, holds=holds, in_person=in_person)
    emit(
        {**opened.plain(issued), "temporary": temporary},
        as_json=as_json,
        text=lambda: [
            *([f"id {issued.login_id}"] if issued.login_id != user else []),
            temporary,
            f"until {issued.ends.isoformat()}; it must be changed at first",
        ],
    )

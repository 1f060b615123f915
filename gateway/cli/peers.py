"""`gateway peer …`: the neighbouring communities, one file `peers/<name>.yaml` each (XCA-03)."""

from pathlib import Path

import click

from gateway.cli.common import configured, emit, speaking, table

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("peer")
def peer() -> None:
    """連携先。Neighbours: add, list, show, change, suspend, resume, end."""


@peer.command("add")
@click.argument("file", type=_FILE)
@configured
def add(file: Path, *, config: Path, as_json: bool) -> None:
    """連携先を登録します。Register the neighbour that FILE describes; a running server takes it."""
    from gateway.cli import opened
    from gateway.members import profiles
    from gateway.model.audit import EventKind

    with speaking():
        text = profiles.read_file(file)
        with opened.work(config, EventKind.ADMIN) as (gateway, work):
            folder = gateway.settings.folder
            found = profiles.add(work, folder, text)
        profiles.write(folder, found.name, text)
    emit(opened.plain(found), as_json=as_json, text=lambda: [f"registered {found.name}"])


@peer.command("change")
@click.argument("name")
@click.argument("file", type=_FILE)
@click.option("--reason", required=True, help="理由。")
@configured
def change(name: str, file: Path, *, reason: str, config: Path, as_json: bool) -> None:
    """連携先の定義を置き換えます。Replace a neighbour's file by FILE; its name and state stay."""
    from gateway.cli import opened
    from gateway.members import profiles
    from gateway.model.audit import EventKind

    with speaking():
        text = profiles.read_file(file)
        with opened.work(config, EventKind.ADMIN) as (gateway, work):
            folder = gateway.settings.folder
            found = profiles.change(work, folder, name, text, reason=reason)
        profiles.write(folder, name, text)
    emit(opened.plain(found), as_json=as_json, text=lambda: [f"changed {name}"])


@peer.command("list")
@configured
def listing(*, config: Path, as_json: bool) -> None:
    """連携先を一覧します。List the neighbours and their state."""
    from gateway import app, settings
    from gateway.cli import opened
    from gateway.model.audit import EventKind

    with speaking():
        read = settings.load(config)
        found = [one for one, _ in app.read_neighbours(read, app.read_policy(read.network.policy))]
        with opened.work(config, EventKind.ADMIN, reading=True) as (_, work):
            work.trail.objects.extend(f"peer:{one.name}" for one in found)
    emit(
        [opened.plain(one) for one in found],
        as_json=as_json,
        text=lambda: table(
            ("name", "home community", "state", "from", "to"),
            [(one.name, one.home_community_id, one.state.value, one.agreement.starts,
              one.agreement.ends or "") for one in found],
        ),
    )  # fmt: skip


@peer.command("show")
@click.argument("name")
@configured
def show(name: str, *, config: Path, as_json: bool) -> None:
    """連携先を表示します。Show one neighbour: its file, and what it was read as with --json."""
    from gateway.cli import opened
    from gateway.members import profiles
    from gateway.model.audit import EventKind

    with speaking(), opened.work(config, EventKind.ADMIN, reading=True) as (gateway, work):
        text = profiles.read_text(gateway.settings.folder, name)
        found = profiles.find(work, gateway.settings.folder, name)
    emit(opened.plain(found), as_json=as_json, text=lambda: [text.rstrip("\n")])


def _moving(verb: str, state: str, japanese: str) -> click.Command:
    """`gateway peer suspend|resume|end NAME --reason TEXT`."""

    @click.command(verb, help=f"{japanese} {verb.capitalize()} a neighbour, within seconds.")
    @click.argument("name")
    @click.option("--reason", required=True, help="理由。")
    @configured
    def command(name: str, *, reason: str, config: Path, as_json: bool) -> None:
        from gateway.cli import opened
        from gateway.members import profiles
        from gateway.members.neighbours import Standing
        from gateway.model.audit import EventKind

        with speaking():
            with opened.work(config, EventKind.ADMIN) as (gateway, work):
                folder = gateway.settings.folder
                text = profiles.move(work, folder, name, Standing(state), reason=reason)
            profiles.write(folder, name, text)
        value = {"name": name, "state": state}
        emit(value, as_json=as_json, text=lambda: [f"{name}: {state}"])

    return command


for _verb, _state, _japanese in (
    ("suspend", "suspended", "停止します。"),
    ("resume", "active", "再開します。"),
    ("end", "ended", "終了します。"),
):
    peer.add_command(_moving(_verb, _state, _japanese))

"""`gateway serve` and `gateway demo`."""

import dataclasses
import gc
import sys
from pathlib import Path

import click

from gateway.cli.common import (
    REFUSED,
    UNAVAILABLE,
    configured,
    json_option,
    print_json,
    progress_of,
    speaking,
    table,
)

_STEPS = 8
_LOADING = 100_000
"Objects between two garbage collections until `serving.settle`: what is loaded all stays."


@click.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), help="Machine port. 機械用ポート。")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes. プロセス数。")
@configured
def serve(port: int | None, workers: int | None, config: Path, *, as_json: bool) -> None:
    """起動します。Serve until SIGTERM; prints `ready https://HOST:PORT` once it accepts."""
    gc.set_threshold(_LOADING)
    from gateway import app, serving, settings

    def ready(address: str, ports: dict[str, int]) -> None:
        if as_json:
            print_json({"ready": address, "ports": ports})
        else:
            click.echo(f"ready {address}")
        sys.stdout.flush()

    with speaking():
        found = settings.load(config)
        if port is not None:
            found = dataclasses.replace(found, http=dataclasses.replace(found.http, port=port))
        app.check_private(found)
        if found.hpki.insecure_test_cards:
            click.echo("WARNING insecure_test_cards is on: test cards are accepted", err=True)
        failed = serving.serve(found, ready, workers=workers or 0)
    if failed:
        click.echo("a worker failed: see the log 障害: ログを確認してください", err=True)
        sys.exit(UNAVAILABLE)


@click.command("demo")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep the folder.")
@click.option("--database", default="", help="URL of an empty database. 空のデータベースの URL。")
@json_option
def demo(keep: Path | None, *, database: str, as_json: bool) -> None:
    """実演します。Run the journey of one patient through a gateway of its own."""
    from gateway.demo import run
    from gateway.demo.sign import sign_prescription

    with speaking(), progress_of(_STEPS, "demo 実演") as advance:
        steps = run(keep, sign_prescription, database=database, tell=lambda _: advance())
    held = all(step.held for step in steps)
    if as_json:
        print_json({"steps": [dataclasses.asdict(step) for step in steps], "held": held})
    else:
        rows = [
            (n, step.name, "held" if step.held else "NOT HELD", f"{step.ms:.0f}", step.detail)
            for n, step in enumerate(steps, 1)
        ]
        for line in table(("#", "step", "", "ms", "what happened"), rows):
            click.echo(line)
    if not held:
        sys.exit(REFUSED)

"""`gateway intake PATH`: the same intake as the upload doors, from the command line (STG-04)."""

from pathlib import Path

import click

from gateway.cli.common import configured, emit, speaking, table


@click.command("intake")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--facility", required=True, help="NAME of the facility it is delivered for.")
@click.option(
    "--source",
    required=True,
    type=click.Choice(["emr", "accounting", "dispensing", "care", "lab", "other"]),
)
@configured
def intake(path: Path, *, facility: str, source: str, config: Path, as_json: bool) -> None:
    """ファイルを受け入れます。Take in a file, a folder or an archive, and work it through."""
    from gateway import app, settings
    from gateway.cli import opened
    from gateway.model.category import Source

    with speaking(), app.open_gateway(settings.load(config)) as gateway:
        receipt = app.take_in(
            gateway, path, facility=facility, source=opened.word(Source, source, "source")
        )
    emit(
        receipt,
        as_json=as_json,
        text=lambda: table(
            ("file", "state", "staged", "moved", "findings"),
            [
                (
                    file["path"],
                    file["state"],
                    file["items"]["staged"],
                    file["items"]["promoted"],
                    len(file["findings"]),
                )
                for file in receipt["files"]
            ],
        ),
    )

"""`gateway init DIR`: settings, policy, database; with `--demo` everything section 5 names."""

import json
from pathlib import Path

import click

from gateway.cli.common import emit, json_option, speaking
from gateway.errors import Inconsistent

_SETTINGS = """\
# Settings of one gateway. Unknown keys stop the start. Relative paths are relative to this file.

[community]
home_community_id = "{home}"
repository_id = "{repository}"

[http]
host = "127.0.0.1"
port = 8443
people_port = 8444
operator_port = 8445
names = ["localhost", "127.0.0.1"]

[tls]
certificate = "pki/server.pem"
key = "pki/server.key"
client_ca = "pki/ca.pem"
{crl}
[database]
url = "{database}"

[blobs]
url = "{blobs}"

[hpki]
{hpki}
[login]
cards = {cards}

[xua]
audience = "urn:oid:{home}"

[audit]
checkpoints = "audit"

[backup]
recipients = {recipients}
{key}
[network]
policy = "policy/{network}.yaml"
{schemas}"""
_DEMO_HOME, _DEMO_REPOSITORY = "2.999.10.1", "2.999.40.1"


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--network", type=click.Choice(["tgp", "tkm", "ngr", "fko", "igt"]), default="tgp")
@click.option("--schemas", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--demo", is_flag=True, help="Demo PKI, facilities and patients. デモ一式。")
@click.option("--database", default="", help="URL; default: SQLite in DIR. データベースの URL。")
@click.option("--home", default=_DEMO_HOME, help="homeCommunityId (OID).")
@click.option("--repository", default=_DEMO_REPOSITORY, help="repositoryUniqueId (OID).")
@json_option
def init(
    folder: Path, *, network: str, schemas: Path | None, demo: bool, database: str, home: str,
    repository: str, as_json: bool,
) -> None:  # fmt: skip
    """新しい設定フォルダを作ります。Make DIR: settings, policy, database."""
    with speaking():
        _require_empty(folder)
        made = _make(
            folder, "tgp" if demo else network, schemas, home, repository, database, demo=demo
        )
    emit(
        made,
        as_json=as_json,
        text=lambda: [
            f"made {folder / 'gateway.toml'}",
            f"next: gateway serve --config {folder / 'gateway.toml'}",
        ],
    )


def _require_empty(folder: Path) -> None:
    """Never write into a folder that holds something."""
    if folder.exists() and any(folder.iterdir()):
        raise Inconsistent(
            "the folder is not empty: name a new one",
            "フォルダが空ではありません。新しいフォルダを指定してください",
            at=folder.name,
        )


def _make(
    folder: Path,
    network: str,
    schemas: Path | None,
    home: str,
    repository: str,
    database: str,
    *,
    demo: bool,
) -> dict[str, str]:
    """Write everything, in an order that leaves no database without its settings."""
    from gateway import app, settings
    from gateway.backup import archive
    from gateway.model import network as policies

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    absolute = folder.resolve()
    (absolute / "policy").mkdir()
    (absolute / "peers").mkdir()
    (absolute / "mappings").mkdir()
    (absolute / "policy" / f"{network}.yaml").write_text(policies.template(network), "utf-8")
    recipient = ""
    if demo:
        (absolute / "pki").mkdir(exist_ok=True)
        recipient = archive.make_key(absolute / "pki" / "backup.key")
    text = _SETTINGS.format(
        home=home,
        repository=repository,
        database=database or f"sqlite:///{(absolute / 'gateway.db').as_posix()}",
        blobs=(absolute / "blobs").as_uri(),
        network=network,
        recipients=json.dumps([recipient] if recipient else []),
        key='key = "pki/backup.key"  # of the demo alone: keep yours on another machine\n'
        if demo
        else "",
        crl='crl = "pki/clients.crl.pem"\n' if demo else "",
        cards="true" if demo else "false",
        hpki=('trust = "pki/hpki/trust.toml"\ninsecure_test_cards = true\n' if demo else ""),
        schemas=f'\n[ihe]\nschemas = "{schemas.resolve().as_posix()}"\n' if schemas else "",
    )
    path = absolute / "gateway.toml"
    path.write_text(text, "utf-8")
    found = settings.load(path)
    if demo:
        from gateway.cli.demo_data import fill
        from gateway.cli.demo_pki import write_demo_pki

        write_demo_pki(absolute, app.now())
        with app.open_gateway(found, migrating=True) as gateway:
            fill(gateway)
    else:
        with app.open_gateway(found, migrating=True):
            pass
    return {"settings": str(path), "network": network, "demo": "yes" if demo else "no"}

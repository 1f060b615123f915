"""`gateway check-settings`, `gateway migrate`, `gateway policy show|check`."""

from pathlib import Path

import click

from gateway.cli.common import configured, emit, speaking
from gateway.members.mappings import load_mappings
from gateway.model.csv_mapping import CsvMapping
from gateway.model.mapping import MappingError


@click.command("check-settings")
@configured
def check_settings(config: Path, *, as_json: bool) -> None:
    """設定を検査します。Check settings, policy, keys and schema without starting."""
    from gateway import app, settings
    from gateway.edge.oidc_settings import read_assurance, read_provider

    with speaking():
        found = settings.load(config)
        app.check_private(found)
        provider = read_provider(found)
        if provider is not None:
            read_assurance(found.oidc)
        with app.open_gateway(found) as gateway:
            known = app.read_neighbours(found, gateway.policy)
            layouts = _mappings(found.folder)
            trust = app.open_lists(gateway).policy.trust
            value = {
                "network": gateway.policy.network,
                "database": gateway.database.kind,
                "schema": gateway.database.schema_version(),
                "neighbours": len(known),
                "mappings": len(layouts),
                "authorities": len(trust.anchors),
                "revocation_lists": len(trust.sources),
                "test_cards": found.hpki.insecure_test_cards,
                "openid_provider": "" if provider is None else provider.issuer,
            }
    emit(value, as_json=as_json, text=lambda: [f"{key}: {part}" for key, part in value.items()])


def _mappings(folder: Path) -> tuple[CsvMapping, ...]:
    """The facilities' CSV layouts beside the settings."""
    from gateway.settings import SettingsError

    try:
        return load_mappings(folder)
    except MappingError as error:
        raise SettingsError(str(error)) from error


@click.command("migrate")
@configured
def migrate(config: Path, *, as_json: bool) -> None:
    """スキーマを最新にします。Bring the database to the newest schema."""
    from gateway import app, settings

    with (
        speaking(),
        app.open_gateway(settings.load(config), migrating=True) as gateway,
    ):
        value = {"schema": gateway.database.schema_version()}
    emit(value, as_json=as_json, text=lambda: [f"schema {value['schema']}"])


@click.group("policy")
def policy() -> None:
    """ネットワーク規程。The network policy."""


@policy.command("check")
@configured
def policy_check(config: Path, *, as_json: bool) -> None:
    """規程ファイルを検査します。Read the policy file and say whether every key is known."""
    from gateway import app, settings

    with speaking():
        found = app.read_policy(settings.load(config).network.policy)
    value = {"network": found.network, "good": True}
    emit(value, as_json=as_json, text=lambda: [f"{found.network}: every key is known"])


@policy.command("show")
@configured
def policy_show(config: Path, *, as_json: bool) -> None:
    """規程と役割名を表示します。Show the policy with the network's own role names (DOM-05)."""
    from gateway import app, settings

    with speaking():
        found = app.read_policy(settings.load(config).network.policy)
    value = {
        "network": found.network,
        "operator": found.operator,
        "labels": dict(found.labels),
        "categories": sorted(category.value for category in found.categories),
        "withdrawal": found.withdrawal.effect.value,
        "retention_years": found.retention.years,
        "access_model": found.access.model.value,
    }

    def lines() -> list[str]:
        shown = [f"{key}: {part}" for key, part in value.items() if key != "labels"]
        return shown + [f"  {role}: {label}" for role, label in found.labels.items()]

    emit(value, as_json=as_json, text=lines)

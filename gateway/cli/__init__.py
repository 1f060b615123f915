"""The command line (`INTERFACES.md` section 2): one file per command group, loaded when used."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType

import click

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "audit": "gateway.cli.audit:audit",
        "backup": "gateway.cli.backup:backup",
        "check-settings": "gateway.cli.settings:check_settings",
        "codes": "gateway.cli.codes:codes",
        "consent": "gateway.cli.consent:consent",
        "contract": "gateway.cli.members:contract",
        "crl": "gateway.cli.crl:crl",
        "demo": "gateway.cli.serve:demo",
        "domain": "gateway.cli.members:domain",
        "erase": "gateway.cli.retention:erase",
        "facility": "gateway.cli.members:facility",
        "init": "gateway.cli.init:init",
        "intake": "gateway.cli.intake:intake",
        "mapping": "gateway.cli.mapping:mapping",
        "migrate": "gateway.cli.settings:migrate",
        "peer": "gateway.cli.peers:peer",
        "patient": "gateway.cli.patient:patient",
        "policy": "gateway.cli.settings:policy",
        "queue": "gateway.cli.watch:queue",
        "restore": "gateway.cli.backup:restore",
        "retention": "gateway.cli.retention:retention",
        "serve": "gateway.cli.serve:serve",
        "standardize": "gateway.cli.standardize:standardize",
        "store": "gateway.cli.store:store",
        "user": "gateway.cli.users:user",
        "verify": "gateway.cli.verify:verify",
        "watch": "gateway.cli.watch:watch",
    }
)
"Command to where it is; a command's module is imported only when it is called."


class _Commands(click.Group):
    """A group whose commands are loaded one by one, so that each starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in alphabetical order."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="regional-gateway", prog_name="gateway")
def group() -> None:
    """地域医療連携ゲートウェイ。IHE gateway for regional health networks."""

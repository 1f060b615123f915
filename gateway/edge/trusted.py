"""Whom signatures and cards are trusted to: the file that the settings name, or what ships."""

from pathlib import Path

from gateway.hpki.policy import SignaturePolicy, Trust
from gateway.hpki.trust import parse, shipped
from gateway.settings import HpkiSettings, SettingsError


def read_trust(path: Path | None) -> Trust:
    """The trust of a TOML file, with the files beside it; raises `SettingsError`."""
    if path is None:
        return shipped()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"trust: cannot read {path.name}") from error
    return parse(text, lambda name: (path.parent / name).read_bytes())


def read_policy(settings: HpkiSettings) -> SignaturePolicy:
    """The signature policy of an installation."""
    return SignaturePolicy(
        trust=read_trust(settings.trust), accept_test=settings.insecure_test_cards
    )

"""`edge.oidc_settings`: a provider that could let in the wrong one stops the start."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.cli import demo_authority as make
from gateway.cli.demo_authority import Issued
from gateway.edge.oidc_settings import read_assurance, read_provider
from gateway.model.caller import LevelOfAssurance
from gateway.settings import Settings, SettingsError, load
from gateway.wire.oidc import ClientAuthentication
from tests.edge.openid import certificate, signing_key

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = {
    "issuer": '"https://id.example/realm"',
    "client_ids": '["gateway"]',
    "redirect_uri": '"https://localhost:8444/login/oidc/callback"',
    "secret": '"secret.txt"',
    "assurance": '["urn:x=1=hpki", "weak=password"]',
}
BASE = """
[community]
home_community_id = "2.999.10.1"
repository_id = "2.999.40.1"
[tls]
certificate = "server.pem"
key = "server.key"
client_ca = "ca.pem"
[database]
url = "sqlite:///gateway.db"
[blobs]
url = "file:///blobs"
[network]
policy = "policy.yaml"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys = {"secret.txt": b"s3cret\n", "empty.txt": b"\n", "binary.txt": b"\xff\xfe"}
    ours = make.issue(
        make.name("x"), signing_key(), None, (), serial=1,
        since=SINCE, until=SINCE + timedelta(days=1),
    )  # fmt: skip
    keys["key.pem"] = ours.key_pem
    keys["curve.pem"] = Issued(ours.certificate, make.ec_key()).key_pem
    for name, content in keys.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "open.txt").write_text("s3cret")
    (tmp_path / "open.txt").chmod(0o644)
    certificate(tmp_path)
    return tmp_path


def settings(folder: Path, **changed: str | None) -> Settings:
    """The settings with `[oidc]`; None leaves a key out."""
    table = {key: value for key, value in {**GOOD, **changed}.items() if value is not None}
    lines = "\n".join(f"{key} = {value}" for key, value in table.items())
    path = folder / "gateway.toml"
    path.write_text(f"{BASE}[oidc]\n{lines}\n", "utf-8")
    return load(path)


def test_without_issuer_nobody_logs_in_there(folder: Path) -> None:
    assert read_provider(settings(folder, issuer=None)) is None


def test_what_the_settings_become(folder: Path) -> None:
    found = read_provider(settings(folder, ca='"provider-ca.pem"', origins='["https://a.example"]'))
    assert found is not None
    assert found.origins == {"https://id.example", "https://a.example"}
    assert found.acr_values == ("urn:x=1", "weak")
    assert found.longest_age == timedelta(minutes=15)
    assert found.clients["gateway"].secret == "s3cret"
    assert "s3cret" not in repr(found)
    assert found.tls.check_hostname


def test_an_acr_is_mapped_to_a_level(folder: Path) -> None:
    assert read_assurance(settings(folder, without_acr='"password"').oidc) == {
        "urn:x=1": LevelOfAssurance.HPKI, "weak": LevelOfAssurance.PASSWORD,
        "": LevelOfAssurance.PASSWORD,
    }  # fmt: skip


def test_a_key_of_our_own_serves_several_client_ids(folder: Path) -> None:
    found = read_provider(
        settings(
            folder, authentication='"private_key_jwt"', key='"key.pem"', secret=None,
            client_ids='["FIDO", "JPKI", "HPKI"]', key_id='"ours"', longest_age_minutes="0",
        )
    )  # fmt: skip
    assert found is not None
    assert list(found.clients) == ["FIDO", "JPKI", "HPKI"]
    assert found.clients["JPKI"].kind is ClientAuthentication.PRIVATE_KEY
    assert found.clients["JPKI"].key_id == "ours"
    assert found.longest_age is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"issuer": '"http://id.example"'}, "issuer"),
        ({"issuer": '"https://id.example?x"'}, "issuer"),
        ({"issuer": '"https://a@id.example"'}, "issuer"),
        ({"client_ids": "[]"}, "client_ids"),
        ({"client_ids": '["a", "b"]'}, "one secret"),
        ({"redirect_uri": None}, "redirect_uri"),
        ({"redirect_uri": '"https://evil.example/login/oidc/callback"'}, "http\\] names"),
        ({"redirect_uri": '"https://localhost/login"'}, "must end in"),
        ({"redirect_uri": '"https://localhost/login/oidc/callback?x=1"'}, "must end in"),
        ({"redirect_uri": '"http://localhost/login/oidc/callback"'}, "redirect_uri"),
        ({"authentication": '"client_secret_jwt"'}, "possible are"),
        ({"authentication": '"private_key_jwt"'}, "key: name"),
        ({"authentication": '"private_key_jwt"', "key": '"curve.pem"'}, "not a key for PS256"),
        ({"authentication": '"private_key_jwt"', "key": '"secret.txt"'}, "not a private key"),
        (
            {"authentication": '"private_key_jwt"', "key": '"key.pem"', "key_algorithm": '"HS256"'},
            "key_algorithm",
        ),
        ({"secret": None}, "secret: name"),
        ({"secret": '"empty.txt"'}, "is empty"),
        ({"secret": '"binary.txt"'}, "is not text"),
        ({"secret": '"open.txt"'}, "readable by others"),
        ({"secret": '"absent.txt"'}, "cannot be read"),
        ({"algorithms": '["none"]'}, "algorithms"),
        ({"algorithms": '["HS256"]'}, "algorithms"),
        ({"algorithms": "[]"}, "algorithms"),
        ({"scopes": '["profile"]'}, "openid"),
        ({"subject_claim": '""'}, "subject_claim"),
        ({"assurance": None}, "nobody gets in"),
        ({"assurance": '["urn:x"]'}, "assurance"),
        ({"assurance": '["=hpki"]'}, "assurance"),
        ({"assurance": '["x=operator"]'}, "assurance"),
        ({"assurance": '["x=hpki", "x=password"]'}, "assurance"),
        ({"without_acr": '"certificate"'}, "without_acr"),
        ({"clock_skew_seconds": "301"}, "clock_skew"),
        ({"seconds": "0"}, "seconds"),
        ({"seconds": "61"}, "seconds"),
        ({"origins": '["http://x.example"]'}, "origins"),
        ({"ca": '"absent.pem"'}, "ca cannot be read"),
        ({"client_secret": '"x"'}, "unknown key"),
    ],
)
def test_what_stops_the_start(folder: Path, changed: dict[str, str | None], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as stopped:
        found = settings(folder, **changed)
        read_provider(found)
        read_assurance(found.oidc)
    assert "s3cret" not in str(stopped.value)

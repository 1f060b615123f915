"""Cards at the people door over real TLS: whose they are, and one in a token (SIG-01 to SIG-04)."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.edge.people import Cards, Site
from tests.served import Templates, serve

REVOKED = 66


@pytest.fixture(scope="module")
def own(
    templates: Templates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Site, Cards]]:
    """An installation whose authentication authority is the tests' own."""
    folder = tmp_path_factory.mktemp("own")
    made = templates.copy("sqlite", folder / "installation")
    cards = Cards(made.pki / "hpki", folder)
    cards.publish(revoked=(REVOKED,))
    made.command("user", "card", "add", "doctor-b", str(cards.write("doctor-b", number="T-B")))
    with serve(made) as served:
        yield Site(served), cards


def test_cards_of_others_and_bad_cards(own: tuple[Site, Cards]) -> None:
    site, cards = own
    mine = site.ask("POST", "/login", card=cards.write("mine", number="T-B", serial=60))
    assert mine.json.get("user") == "doctor-b", mine.json  # a renewed card of the same holder
    unknown = site.ask("POST", "/login", card=cards.write("unknown", number="T-X", serial=61))
    assert unknown.status == 403
    assert "not registered" in unknown.json["error"]
    other = cards.write("policy", number="T-B", serial=62, policy="1.2.3.4")
    assert site.ask("POST", "/login", card=other).status == 401
    strange = cards.write("role", number="T-B", serial=63, role="Wizard")
    assert "role" in site.ask("POST", "/login", card=strange).json["error"]


def test_a_suspended_user_is_out_on_the_next_request(own: tuple[Site, Cards]) -> None:
    site, cards = own
    card = cards.write("mine", number="T-B", serial=60)
    cookie = site.ask("POST", "/login", card=card).cookie
    assert site.ask("GET", "/session", card=card, cookie=cookie).status == 200
    site.served.installation.command("user", "suspend", "doctor-b", "--reason", "leave")
    assert site.ask("GET", "/session", card=card, cookie=cookie).status == 401
    assert site.ask("POST", "/login", card=card).status == 403
    site.served.installation.command("user", "resume", "doctor-b", "--reason", "back")
    assert site.ask("GET", "/session", card=card, cookie=cookie).status == 401


def test_log_ins_of_one_card_are_limited(own: tuple[Site, Cards]) -> None:
    site, cards = own
    card = cards.write("unknown", number="T-X", serial=61)
    answers = [site.ask("POST", "/login", card=card) for _ in range(12)]
    assert [one.status for one in answers[:10]] == [403] * 10
    assert answers[-1].status == 429
    assert int(answers[-1].headers["Retry-After"]) >= 1
    mine = cards.write("mine", number="T-B", serial=60)
    assert site.ask("POST", "/login", card=mine).status == 200  # another card is not held up


def test_a_revoked_card_stays_out(own: tuple[Site, Cards]) -> None:
    site, cards = own
    answer = site.ask("POST", "/login", card=cards.write("gone", number="T-B", serial=REVOKED))
    assert answer.status == 401
    assert "revoked" in answer.json["error"]


def test_where_cards_do_not_log_in_none_is_asked_for(templates: Templates, tmp_path: Path) -> None:
    made = templates.copy("sqlite", tmp_path / "installation")
    made.change("\ncards = true", "\ncards = false")
    with serve(made) as served:
        site = Site(served)
        assert site.ask("GET", "/login", card=site.card()).json == {"ways": [], "card": False}
        assert site.ask("POST", "/login", card=site.card()).status == 401


# --- a card in a token ------------------------------------------------------------------------


_NO_PSS = ":".join(
    f"-SIGN-RSA-PSS{kind}-SHA{size}" for kind in ("", "-RSAE") for size in (256, 384, 512)
)


def _tools() -> list[str]:
    wanted = ("softhsm2-util", "pkcs11-tool", "gnutls-cli")
    return [name for name in wanted if shutil.which(name) is None]


def _module() -> Path | None:
    places = ("/usr/lib/softhsm", "/usr/lib/x86_64-linux-gnu/softhsm", "/usr/lib64/softhsm",
              "/usr/local/lib/softhsm", "/opt/homebrew/lib/softhsm")  # fmt: skip
    return next(
        (file for place in places if (file := Path(place) / "libsofthsm2.so").exists()), None
    )


@pytest.mark.skipif(
    bool(_tools()) or _module() is None,
    reason="a simulated card wants softhsm2, opensc and gnutls-bin (Debian's names)",
)
def test_a_card_in_a_token_logs_in(own: tuple[Site, Cards], tmp_path: Path) -> None:
    """The key stays in a PKCS #11 token that can do what real cards can: CKM_RSA_PKCS alone.

    The client leaves RSA-PSS out, as the middleware of such a card does.
    """
    site, cards = own
    module = _module()
    (tmp_path / "tokens").mkdir()
    configuration = tmp_path / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n", "utf-8")
    environment = {**os.environ, "SOFTHSM2_CONF": str(configuration), "GNUTLS_PIN": "1234"}

    def run(*words: str) -> None:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=60, env=environment
        )
        assert done.returncode == 0, done.stderr + done.stdout

    pem = cards.write("token", number="T-B", serial=64)
    key = pem.with_suffix(".key")
    der, pkcs8 = tmp_path / "card.der", tmp_path / "key.pem"
    certificate = x509.load_pem_x509_certificate(pem.read_bytes())
    der.write_bytes(certificate.public_bytes(Encoding.DER))
    pkcs8.write_bytes(
        load_pem_private_key(key.read_bytes(), None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
    )
    label = "HPKI Application"
    run("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "12345678",
        "--pin", "1234")  # fmt: skip
    run("softhsm2-util", "--import", str(pkcs8), "--token", label, "--label", "login", "--id", "01",
        "--pin", "1234")  # fmt: skip
    run("pkcs11-tool", "--module", str(module), "--login", "--pin", "1234", "--write-object",
        str(der), "--type", "cert", "--label", "login", "--id", "01")  # fmt: skip
    configuration.write_text(
        configuration.read_text("utf-8") + "slots.mechanisms = CKM_RSA_PKCS\n", "utf-8"
    )
    port = site.served.ports["people"]
    request = (
        f"POST /login HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n"
    )
    place = "pkcs11:token=HPKI%20Application;object=login"
    client = subprocess.Popen(
        ["gnutls-cli", "--provider", str(module), "--x509cafile", str(site.pki / "ca.pem"),
         "--x509certfile", f"{place};type=cert", "--x509keyfile", f"{place};type=private",
         "--priority", f"NORMAL:{_NO_PSS}", "-p", str(port), "localhost"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment,
    )  # fmt: skip
    with client:
        assert client.stdin is not None
        assert client.stdout is not None
        client.stdin.write(request.encode())
        client.stdin.flush()  # and left open: its end would end the connection before the answer
        told = client.stdout.read().decode()
    assert "TLS1.2" in told
    assert "HTTP/1.1 200 OK" in told
    assert '"user":"doctor-b"' in told
    assert '"assurance":"hpki"' in told

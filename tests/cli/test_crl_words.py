"""`gateway crl list|fetch|load`: wrong words, wrong files, wrong lists; each says what is wrong."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.cli import demo_authority as make
from gateway.cli import group
from tests import pki
from tests.served import Installation, Templates

SIGNING = "crl/signing.crl"


@pytest.fixture(scope="module")
def made(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return templates.copy("sqlite", tmp_path_factory.mktemp("crl") / "installation")


def run(made: Installation, *words: str | Path) -> Result:
    typed = ["crl", *map(str, words), "--config", str(made.config)]
    return CliRunner().invoke(group, typed)


def issued(made: Installation) -> bytes:
    return (made.pki / "hpki" / SIGNING).read_bytes()


def _foreign(made: Installation) -> bytes:
    return pki.hierarchy().crl().crl.public_bytes(Encoding.DER)


def _same_name(made: Installation) -> bytes:
    """By somebody who calls themselves as the demo's authority does."""
    from cryptography import x509

    named = x509.load_pem_x509_certificate((made.pki / "hpki" / "signing-ca.pem").read_bytes())
    now = datetime.now(UTC).replace(microsecond=0)
    rogue = make.issue(
        named.subject, make.rsa_key(), None, make.authority(), serial=1,
        since=now - timedelta(days=1), until=now + timedelta(days=9),
    )  # fmt: skip
    made_list = make.revocation_list(rogue, since=now, until=now + timedelta(days=2), revoked=[])
    return made_list.public_bytes(Encoding.DER)


def _flipped(made: Installation) -> bytes:
    content = bytearray(issued(made))
    content[-1] ^= 1
    return bytes(content)


UNREADABLE = "a revocation list cannot be read / 失効リストを読み取れません"
FILES: dict[str, tuple[Callable[[Installation], bytes], str]] = {
    "nothing": (lambda made: b"", UNREADABLE),
    "text": (lambda made: "失効リスト".encode(), UNREADABLE),
    "settings": (lambda made: made.config.read_bytes(), UNREADABLE),
    "a certificate": (lambda made: (made.pki / "hpki" / "root.pem").read_bytes(), UNREADABLE),
    "a key": (lambda made: (made.pki / "hpki" / "tsa.key").read_bytes(), UNREADABLE),
    "cut off": (lambda made: issued(made)[:-7], UNREADABLE),
    "half a header": (lambda made: issued(made)[:3], UNREADABLE),
    "more behind it": (lambda made: issued(made) + b"\0", UNREADABLE),
    "two in one": (lambda made: issued(made) * 2, UNREADABLE),
    "endless lengths": (lambda made: b"\x30\x80" * 4000, UNREADABLE),
    "an unknown issuer": (_foreign, ""),
    "another of the same name": (_same_name, ""),
    "a changed signature": (_flipped, ""),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_no_list_of_ours(made: Installation, tmp_path: Path, name: str) -> None:
    content, said = FILES[name]
    (tmp_path / "x.crl").write_bytes(content(made))
    done = run(made, "load", tmp_path / "x.crl")
    assert done.exit_code == 1, done.output
    assert "refused 拒否" in done.output
    assert said in done.output
    assert "Traceback" not in done.output
    told = json.loads(run(made, "load", tmp_path / "x.crl", "--json").stdout)
    assert (told[0]["outcome"], told[0]["file"]) == ("refused", str(tmp_path / "x.crl"))
    assert told[0]["reason"]
    assert told[0]["reason_ja"] not in ("", None, told[0]["reason"])
    assert json.loads(run(made, "list", "--archive", "--json").stdout) == [], "nothing is kept"


def test_good_ones_among_bad_ones_are_kept_and_the_exit_tells(
    templates: Templates, tmp_path: Path
) -> None:
    made = templates.copy("sqlite", tmp_path / "installation")
    (tmp_path / "bad.crl").write_bytes(b"x")
    good = made.pki / "hpki" / SIGNING
    done = run(made, "load", tmp_path / "bad.crl", good, "--json")
    assert done.exit_code == 1
    assert [one["outcome"] for one in json.loads(done.stdout)] == ["refused", "new"]
    assert run(made, "load", good).exit_code == 0
    wrong = run(made, "load", "--source", "crl/sarl.crl", good)
    assert wrong.exit_code == 0 or "refused 拒否" in wrong.output
    unknown = run(made, "load", "--source", "http://nobody.example/x.crl", good)
    assert unknown.exit_code == 1
    assert "信頼設定の [[crl]] にありません" in unknown.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(("load",), "Missing argument", id="no file"),
        pytest.param(("load", "absent.crl"), "does not exist", id="absent"),
        pytest.param(("load", "."), "is a directory", id="a folder"),
        pytest.param(("load", "/dev/zero"), "crl_bytes / 上限超過", id="endless"),
        pytest.param(("fetch", "a", "b"), "unexpected extra argument", id="two sources"),
        pytest.param(("list", "all"), "unexpected extra argument", id="a word too many"),
        pytest.param(("lod", "x"), "No such command", id="a wrong word"),
    ],
)
def test_words_that_are_no_command(made: Installation, words: tuple[str, ...], said: str) -> None:
    done = run(made, *words)
    assert done.exit_code == 2
    assert said in done.output


def test_a_list_larger_than_allowed(templates: Templates, tmp_path: Path) -> None:
    made = templates.copy("sqlite", tmp_path / "installation")
    made.change("[hpki]", "[hpki]\ncrl_bytes = 100")
    done = run(made, "load", made.pki / "hpki" / SIGNING)
    assert done.exit_code == 2
    assert "larger than [hpki] crl_bytes / 上限超過" in done.output


def test_a_source_that_nobody_configured(made: Installation) -> None:
    done = run(made, "fetch", "http://nobody.example/x.crl")
    assert done.exit_code == 1
    assert "refused: no [[crl]] of the trust file has this url or file" in done.output
    assert "拒否: 信頼設定の [[crl]] にありません" in done.output


def test_a_trust_file_without_sources_says_so(templates: Templates, tmp_path: Path) -> None:
    made = templates.copy("sqlite", tmp_path / "installation")
    trust = made.pki / "hpki" / "trust.toml"
    text = trust.read_text("utf-8")
    trust.write_text(text.partition("[[crl]]")[0], "utf-8")
    for words in (("fetch",), ("list",)):
        done = run(made, *words)
        assert "the trust file names no [[crl]]. 信頼設定に [[crl]] がありません。" in done.output
    assert run(made, "fetch", SIGNING).exit_code == 1
    for broken, said in (
        ('[[crl]]\nurl = "ftp://x.example/a.crl"\n', "write http://… or https://…"),
        ('[[crl]]\nfile = "crl/sarl.crl"\nissuer = "nobody.pem"\n', "nobody.pem"),
        ("[[crl]]\n", "crl"),
        ("[[crl\n", "trust"),
    ):
        trust.write_text(text.partition("[[crl]]")[0] + broken, "utf-8")
        done = run(made, "list")
        assert done.exit_code == 2, (broken, done.output)
        assert said in done.output
        assert "設定ファイルを直してから" in done.output


def test_a_configured_file_that_is_not_there_or_no_list(
    templates: Templates, tmp_path: Path
) -> None:
    made = templates.copy("sqlite", tmp_path / "installation")
    place = made.pki / "hpki" / SIGNING
    for content, said in ((b"x", "a revocation list cannot be read"), (None, "cannot read")):
        place.unlink() if content is None else place.write_bytes(content)
        for words in (("fetch", SIGNING), ("fetch",), ("list",), ("load", made.config)):
            done = run(made, *words)
            assert done.exit_code == 2
            assert said in done.output
            assert SIGNING in done.output
            assert "設定ファイルを直してから" in done.output

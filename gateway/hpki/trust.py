"""Trust as it is written: the TOML of `gateway verify --trust` and of `[hpki] trust`.

`[[anchor]]` with `kind`, `file`, `from`, `to`, `test`; `[[certificate]]` with `file`, for
intermediate certificates; `[[crl]]` with `file`, or with `url` and `issuer`, and how often it is
fetched; `[[retired]]` with `digest` and `until`, an exception for old archives; `[[rsa]]` with
`bits` and `from`; `[[role]]` with `text`, `japanese`, `kind`, `from`, `to`. Files are read by a
function that is handed in; addresses are only noted here.
"""

import tomllib
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone
from functools import cache
from importlib.resources import files as package_files
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from gateway.errors import Malformed
from gateway.hpki.certificates import read_all
from gateway.hpki.policy import (
    Algorithms,
    Anchor,
    AnchorKind,
    ListSource,
    Retired,
    Size,
    Trust,
)
from gateway.hpki.revocation import RevocationList, read_list
from gateway.hpki.roles import Role
from gateway.settings import SettingsError

_Read = TypeVar("_Read")
JAPAN = timezone(timedelta(hours=9))
"A date without time is a day in Japan."
_KEYS = {
    "anchor": {"kind", "file", "from", "to", "test"},
    "certificate": {"file"},
    "crl": {"file", "url", "issuer", "every_minutes", "alarm_hours"},
    "retired": {"digest", "until"},
    "rsa": {"bits", "from"},
    "role": {"text", "japanese", "kind", "from", "to"},
}
_EVERY = {True: timedelta(hours=6), False: timedelta(minutes=5)}
"How often a list is fetched unless said: by address, from a file."


def parse(text: str, content: Callable[[str], bytes]) -> Trust:
    """The trust that a TOML text says; `content` reads the files that it names, beside it.

    Raises `SettingsError` naming what is wrong.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"trust: not TOML: {error}") from error
    for name in table.keys() - _KEYS.keys():
        raise SettingsError(f"trust: unknown table [[{name}]]: known are {', '.join(_KEYS)}")
    lists = [_source(row, content) for row in _rows(table, "crl", needs="")]
    names = [source.name for source, _ in lists]
    for name in {name for name in names if names.count(name) > 1}:
        raise SettingsError(f"trust: {name} stands in two [[crl]]")
    return Trust(
        anchors=tuple(
            anchor for row in _rows(table, "anchor") for anchor in _anchors(row, content)
        ),
        certificates=tuple(
            certificate
            for row in _rows(table, "certificate")
            for certificate in _content(row, content, read_all)
        )
        + tuple(source.issuer for source, _ in lists if source.issuer is not None),
        crls=tuple(found for _, found in lists if found is not None),
        sources=tuple(source for source, _ in lists),
        retired=tuple(_retired(row) for row in _rows(table, "retired", needs="digest")),
        sizes=tuple(_size(row) for row in _rows(table, "rsa", needs="")),
        roles=tuple(_role(row) for row in _rows(table, "role", needs="text")),
    )


@cache
def shipped() -> Trust:
    """The MHLW HPKI Root CA V2 and the time-stamp authorities that come with the product."""
    folder = package_files("gateway.hpki").joinpath("data")
    text = folder.joinpath("trust.toml").read_text("utf-8")
    return parse(text, lambda name: folder.joinpath(name).read_bytes())


def _retired(row: dict[str, Any]) -> Retired:
    """A digest and the last day for which it counts; SHA-1 is the only one (J-02)."""
    until = _moment({**row, "file": row["digest"]}, "until", time.max)
    if row["digest"] != "sha1" or until is None:
        raise SettingsError('trust: [[retired]] needs digest = "sha1" and until = a day')
    return Retired(row["digest"], until)


def _size(row: dict[str, Any]) -> Size:
    """The smallest RSA key from a day on; never smaller than what holds without any row (J-02)."""
    bits, since = row.get("bits"), _moment({**row, "file": "[[rsa]]"}, "from", time.min)
    least, most = Algorithms().smallest_rsa, Algorithms().largest_rsa
    if type(bits) is not int or not least <= bits <= most or since is None:
        raise SettingsError(f"trust: [[rsa]] needs bits = {least} to {most}, and from = a day")
    return Size(bits, since)


def _role(row: dict[str, Any]) -> Role:
    """One text of the role table."""
    named = {**row, "file": row["text"]}
    since, until = _moment(named, "from", time.min), _moment(named, "to", time.max)
    if since and until and since > until:
        raise SettingsError(f"trust: {row['text']}: from is after to")
    kind, japanese = row.get("kind", "licence"), row.get("japanese", "")
    if kind not in ("licence", "office") or not isinstance(japanese, str):
        raise SettingsError(f'trust: {row["text"]}: kind must be "licence" or "office"')
    return Role(text=row["text"], japanese=japanese, kind=kind, since=since, until=until)


def _rows(table: Mapping[str, Any], kind: str, *, needs: str = "file") -> list[dict[str, Any]]:
    """The rows of one kind, each with a file (or what it `needs`) and no unknown key."""
    rows = table.get(kind, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SettingsError(f"trust: write [[{kind}]], with two brackets")
    for row in rows:
        for key in row.keys() - _KEYS[kind]:
            known = ", ".join(sorted(_KEYS[kind]))
            raise SettingsError(f"trust: unknown key {key} in [[{kind}]]: known are {known}")
        if needs and (not isinstance(row.get(needs), str) or not row[needs]):
            raise SettingsError(f'trust: [[{kind}]] needs {needs} = "…"')
    return rows


def _source(
    row: dict[str, Any], content: Callable[[str], bytes]
) -> tuple[ListSource, RevocationList | None]:
    """A source of lists, and what its file holds now.

    One that names its issuer may be a mirror that is not there yet.
    """
    said = [key for key in ("file", "url") if isinstance(row.get(key), str) and row[key]]
    if len(said) != 1 or len(said) != len(row.keys() & {"file", "url"}):
        raise SettingsError('trust: [[crl]] needs file = "…", or url = "…"')
    name, remote = str(row[said[0]]), said == ["url"]
    if remote:
        _check_address(name)
    issuer = row.get("issuer")
    if issuer is None and remote:
        raise SettingsError(f'trust: {name}: say whose list it is: issuer = "authority.pem"')
    issuers = () if issuer is None else _content({"file": issuer}, content, read_all)
    if issuer is not None and len(issuers) != 1:
        raise SettingsError(f"trust: {issuer}: a list has one issuer")
    source = ListSource(
        name=name,
        remote=remote,
        issuer=issuers[0] if issuers else None,
        every=_span(row, name, "every_minutes", timedelta(minutes=1)) or _EVERY[remote],
        alarm=_span(row, name, "alarm_hours", timedelta(hours=1)),
    )
    if remote:
        return source, None
    try:
        return source, _content(row, content, read_list)
    except SettingsError:
        if issuer is None:
            raise
        return source, None


def _check_address(url: str) -> None:
    """Refuse what is no plain http or https address; no password stands in a trust file."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"trust: {url}: not an address") from error
    plain = url.isascii() and url.isprintable() and " " not in url and port != 0
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"trust: {url}: write http://… or https://…")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise SettingsError(f"trust: {parts.hostname}: no user, password or fragment in a url")


def _span(row: dict[str, Any], name: str, key: str, unit: timedelta) -> timedelta | None:
    """A number of minutes or hours."""
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100_000:
        raise SettingsError(f"trust: {name}: {key} must be a number above 0")
    return unit * value


def _anchors(row: dict[str, Any], content: Callable[[str], bytes]) -> list[Anchor]:
    """The authorities of one row; a PEM file may hold several."""
    kinds = {kind.value: kind for kind in AnchorKind}
    if row.get("kind") not in kinds:
        raise SettingsError(f"trust: {row['file']}: kind must be one of {', '.join(kinds)}")
    test = row.get("test", False)
    if not isinstance(test, bool):
        raise SettingsError(f"trust: {row['file']}: test must be true or false")
    since, until = _moment(row, "from", time.min), _moment(row, "to", time.max)
    if since and until and since > until:
        raise SettingsError(f"trust: {row['file']}: from is after to")
    return [
        Anchor(
            kind=kinds[row["kind"]], certificate=certificate, since=since, until=until, test=test
        )
        for certificate in _content(row, content, read_all)
    ]


def _content(
    row: dict[str, Any], content: Callable[[str], bytes], reader: Callable[[bytes], _Read]
) -> _Read:
    """What the file of a row holds."""
    try:
        return reader(content(row["file"]))
    except OSError as error:
        raise SettingsError(f"trust: cannot read {row['file']}") from error
    except Malformed as error:
        raise SettingsError(f"trust: {row['file']}: {error.english}") from error


def _moment(row: dict[str, Any], key: str, edge: time) -> datetime | None:
    """A moment: RFC 3339 with zone, or a day in Japan, which begins or ends with `edge`."""
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)
        except ValueError:
            value = None
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return value
    elif isinstance(value, date):
        return datetime.combine(value, edge, JAPAN)
    raise SettingsError(f"trust: {row['file']}: {key} must be a day, or a time with its zone")

"""Black-box conformance: `python -m conformance --target URL …` or `--demo DIR`.

Exit 0 only if every selected case held; 1 if one did not or could not be tried; 2 wrong usage.
"""

import argparse
import http.client
import json
import sys
import time
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from lxml import etree

from conformance import report, saml
from conformance.case import Case, Group, NotHeld, NotTried, Outcome
from conformance.client import Client
from conformance.every_actor import iti19, web_services
from conformance.pix_manager import iti44, iti45
from conformance.responding_gateway import iti38, iti39, iti55
from conformance.world import Data, World
from conformance.x_service_provider import iti40

GROUPS = (
    iti44.GROUP,
    iti45.GROUP,
    iti55.GROUP,
    iti38.GROUP,
    iti39.GROUP,
    iti40.GROUP,
    web_services.GROUP,
    iti19.GROUP,
)
"Every case, in the order in which they run."

PROFILES = ("pix", "xca")
_FILES = (
    "ca", "cert", "key", "neighbour_cert", "neighbour_key", "assertion_key", "assertion_cert",
    "data",
)  # fmt: skip
"Options that name a file to read."


class UsageError(Exception):
    """Something on the command line is missing or wrong; the text says what to give."""


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance",
        description="Black-box conformance cases against a running gateway. "
        "稼働中のゲートウェイに対する適合性試験。",
    )
    add = parser.add_argument
    add("--target", metavar="URL", help="address of the machine door, e.g. https://localhost:8443")
    add("--demo", metavar="DIR", type=Path, help="demo installation: finds everything below it")
    add("--cert", metavar="PEM", type=Path, help="client certificate of a facility")
    add("--key", metavar="PEM", type=Path, help="its key")
    add("--ca", metavar="PEM", type=Path, help="authority of the server's certificate")
    add("--neighbour-cert", metavar="PEM", type=Path, help="client certificate of a neighbour")
    add("--neighbour-key", metavar="PEM", type=Path, help="its key")
    add("--assertion-key", metavar="PEM", type=Path, help="key that signs the assertions")
    add("--assertion-cert", metavar="PEM", type=Path, help="its certificate, for KeyInfo")
    add("--issuer", default="urn:oid:2.999.10.2", help="issuer of the assertions")
    add("--audience", default="urn:oid:2.999.10.1", help="audience of the assertions")
    add("--neighbour-home", default="2.999.10.2", help="the neighbour's homeCommunityId")
    add("--data", metavar="FILE", type=Path, help="what the target knows, as demo.json tells it")
    add("--facility", default="hospital-a", help="whose certificate --cert is, as in --data")
    add("--profile", default="pix,xca", help="which profiles: pix,xca")
    add("--only", metavar="ID", action="append", default=[], help="this case alone; may repeat")
    add("--schemas", metavar="DIR", type=Path, help="published XSDs that judge the answers")
    add("--report", metavar="FILE", type=Path, help="write one HTML page")
    add("--json", action="store_true", help="print one JSON document instead of the table")
    add("--timeout", type=float, default=30.0, help="seconds for one answer")
    return parser.parse_args(given)


def _from_demo(options: argparse.Namespace) -> None:
    """Fill in what the command line leaves open from a demo installation."""
    if options.demo is None:
        return
    clients, signing = options.demo / "pki" / "clients", options.demo / "pki" / "xua"
    for name, path in (
        ("ca", options.demo / "pki" / "ca.pem"),
        ("cert", clients / f"{options.facility}.pem"),
        ("key", clients / f"{options.facility}.key"),
        ("neighbour_cert", clients / "neighbour-n.pem"),
        ("neighbour_key", clients / "neighbour-n.key"),
        ("assertion_key", signing / "neighbour-n.key"),
        ("assertion_cert", signing / "neighbour-n.pem"),
        ("data", options.demo / "demo.json"),
    ):
        if getattr(options, name) is None:
            setattr(options, name, path)
    if options.target is None:
        options.target = _demo_target(options.demo / "gateway.toml")


def _demo_target(path: Path) -> str:
    """The address that the demo's settings name."""
    try:
        http_table = tomllib.loads(path.read_text("utf-8")).get("http", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"cannot read {path.name}: is --demo a demo installation?") from error
    return f"https://localhost:{http_table.get('port', 8443)}"


def _world(options: argparse.Namespace, open_clients: ExitStack) -> World:
    """Clients, data and judges of these options."""
    for name in ("target", "ca", "data"):
        if getattr(options, name) is None:
            raise UsageError(f"give --{name}, or --demo DIR / --{name} を指定してください")

    for name in _FILES:
        path = getattr(options, name)
        if path is not None and not path.is_file():
            raise UsageError(f"cannot read {path} / {path} を読めません")

    def client(certificate: Path | None, key: Path | None) -> Client | None:
        if certificate is None:
            return None
        return open_clients.enter_context(
            Client(
                options.target,
                certificate=certificate,
                key=key,
                authority=options.ca,
                timeout=options.timeout,
            )
        )

    try:
        return World(
            facility=client(options.cert, options.key),
            neighbour=client(options.neighbour_cert, options.neighbour_key),
            authority=options.ca,
            data=Data.read(options.data),
            facility_name=options.facility,
            issuer=_issuer(options),
            audience=options.audience,
            neighbour_home=options.neighbour_home,
            schemas=options.schemas,
        )
    except KeyError as error:
        raise UsageError(f"{options.data} lacks {error}") from error
    except (OSError, ValueError) as error:
        raise UsageError(str(error)) from error


def _issuer(options: argparse.Namespace) -> saml.Issuer | None:
    if options.assertion_key is None:
        return None
    certificate = None
    if options.assertion_cert is not None:
        certificate = x509.load_pem_x509_certificate(options.assertion_cert.read_bytes())
    key = saml.load_key(options.assertion_key.read_bytes())
    return saml.Issuer(name=options.issuer, key=key, certificate=certificate)


def _selected(options: argparse.Namespace) -> list[tuple[Group, Case]]:
    wanted = set(options.profile.split(","))
    unknown = wanted - set(PROFILES)
    if unknown:
        raise UsageError(f"unknown profile {', '.join(sorted(unknown))}: known are pix, xca")
    pairs = [
        (group, case)
        for group in GROUPS
        if not group.profile or group.profile in wanted
        for case in group.cases
    ]
    if options.only:
        pairs = [pair for pair in pairs if pair[1].id in options.only]
        missing = set(options.only) - {case.id for _, case in pairs}
        if missing:
            raise UsageError(f"no such case: {', '.join(sorted(missing))}")
    return pairs


def run(world: World, group: Group, case: Case) -> Outcome:
    """One case; whatever the gateway does, the next case runs."""
    begun = time.perf_counter()
    held, tried = False, True
    try:
        detail, held = case.check(world) or "", True
    except NotHeld as reason:
        detail = str(reason)
    except NotTried as reason:
        detail, tried = str(reason), False
    except (OSError, http.client.HTTPException, etree.LxmlError, ValueError) as error:
        detail = f"{type(error).__name__}: {error}"
    except (LookupError, TypeError, AttributeError) as error:
        detail = f"the answer lacks something: {type(error).__name__}: {error}"
    ms = round((time.perf_counter() - begun) * 1000, 1)
    return Outcome(case=case, group=group, held=held, tried=tried, detail=detail[:300], ms=ms)


def main(given: Sequence[str] | None = None) -> int:
    """Run the selected cases and say what came of them."""
    options = _arguments(sys.argv[1:] if given is None else given)
    at = datetime.now(UTC).astimezone()
    outcomes: list[Outcome] = []
    with ExitStack() as open_clients:
        try:
            _from_demo(options)
            pairs = _selected(options)
            world = _world(options, open_clients)
        except UsageError as error:
            print(error, file=sys.stderr)
            return 2
        for group, case in pairs:
            outcomes.append(run(world, group, case))
            if not options.json:
                print(report.line(outcomes[-1]), flush=True)
    told = report.as_json(outcomes, options.target, at)
    if options.json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        print(report.summary(outcomes))
    if options.report is not None:
        options.report.write_text(report.as_html(outcomes, options.target, at), "utf-8")
    return 0 if outcomes and told["held"] else 1


if __name__ == "__main__":
    sys.exit(main())

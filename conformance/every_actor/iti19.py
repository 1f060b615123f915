"""ITI-19 Authenticate Node: mutual TLS (ITI TF-2: 3.19)."""

import socket
import ssl
import warnings
from collections.abc import Callable
from urllib.parse import urlsplit

from conformance.case import Case, Group, NotHeld, expect
from conformance.client import Client
from conformance.world import World


def _without_certificate(world: World) -> Client:
    return Client(world.at_facility().target, authority=world.authority, timeout=10)


def anonymous(world: World) -> str:
    """No client certificate: no answer at all."""
    with _without_certificate(world) as client:
        try:
            answer = client.request("GET", "/pix?wsdl")
        except (ssl.SSLError, OSError) as error:
            return type(error).__name__
    raise NotHeld(f"answered {answer.status} without a client certificate")


def known(world: World) -> str:
    """The registered certificate is answered."""
    answer = world.at_facility().request("GET", "/pix?wsdl")
    expect(answer.status == 200, f"HTTP {answer.status}")
    return "200"


def old_version(world: World) -> str:
    """TLS 1.1 is not spoken."""
    parts = urlsplit(world.at_facility().target)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        _connect(context, parts.hostname or "localhost", parts.port or 443)
    except (ssl.SSLError, OSError) as error:
        return type(error).__name__
    raise NotHeld("TLS 1.1 was accepted")


def _connect(context: ssl.SSLContext, host: str, port: int) -> None:
    with (
        socket.create_connection((host, port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=host) as secured,
    ):
        secured.do_handshake()


def _case(number: int, sends: str, expects: str, check: Callable[[World], str]) -> Case:
    return Case(
        id=f"ITI-19-{number:02}", transaction="ITI-19", section="ITI TF-2: 3.19.6", sends=sends,
        expects=expects, check=check,
    )  # fmt: skip


GROUP = Group(
    actor="Secure Node",
    actor_ja="セキュアノード",
    profile="",
    cases=(
        _case(1, "a registered client certificate", "answered", known),
        _case(2, "no client certificate", "the connection ends", anonymous),
        _case(3, "TLS 1.1", "the connection ends", old_version),
    ),
)

"""Who may come in, how often, how slowly: a gateway with tight limits (section 3, C-02, J-08)."""

import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from conformance import messages, saml
from gateway.cli import demo_authority as make
from tests import forked
from tests.edge.test_protocol import statuses
from tests.hostile import xua
from tests.hostile.site import Site, configure, serve
from tests.hostile.test_framing import received
from tests.served import Templates

LIMITS = {
    "requests_per_second": 1, "burst": 6, "connections_per_client": 5, "header_seconds": 1,
    "idle_seconds": 2, "body_seconds": 1, "body_bytes_per_second": 10,
}  # fmt: skip


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[Site]:
    """A gateway whose limits are soon reached; told of revocations within a second."""
    folder = tmp_path_factory.mktemp("tight") / "installation"
    templates.copy("sqlite", folder)
    xua.equip(folder)
    configure(folder, limits=LIMITS)
    with serve(folder) as made:
        yield made
    assert not made.told()
    assert not made.defects()


WSDL = b"GET /pix?wsdl HTTP/1.1\r\nHost: localhost\r\n\r\n"


def test_requests_over_the_rate_wait(tight: Site) -> None:
    time.sleep(0.1)
    client, passed, begun = tight.client("clinic-b"), 0, time.monotonic()
    query = messages.pix_query("2.999.30.2", "B-1001")
    while (late := client.soap("/pix", messages.PIX_QUERY, query)).status == 200 and passed < 100:
        passed += 1
    # Exactly the burst, and what the rate gave meanwhile.
    assert 6 <= passed <= 6 + 1 + (time.monotonic() - begun) * LIMITS["requests_per_second"]
    assert late.status == 429
    assert int(late.headers["retry-after"]) >= 1
    assert late.body == b""
    with tight.nothing_left("LIMIT"):
        told = {client.request("GET", "/uploads/none").status for _ in range(10)}
        assert 429 in told <= {429, 404}
    assert tight.client("pharmacy-c").request("GET", "/uploads/none").status == 404
    time.sleep(1.1)
    assert tight.client("clinic-b").request("GET", "/uploads/none").status == 404


def test_connections_over_the_limit_of_one_client_are_dropped(tight: Site) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(tight.raw("lab-d")) for _ in range(5)]
        for one in held:
            one.sendall(WSDL)
            assert statuses(received(one)[0]) == [200]
        with tight.nothing_left("LIMIT"):
            with pytest.raises((ConnectionError, ssl.SSLError, AssertionError)):
                extra = stack.enter_context(tight.raw("lab-d"))
                extra.sendall(WSDL)
                assert statuses(received(extra)[0]) == [200]
        other = stack.enter_context(tight.raw("pharmacy-c"))
        other.sendall(WSDL)
        assert statuses(received(other)[0]) == [200]


def test_c_02_slow_and_silent_connections_are_ended_while_honest_ones_are_served(
    tight: Site,
) -> None:
    with ExitStack() as stack:
        head, body, idle = (stack.enter_context(tight.raw("hospital-a")) for _ in range(3))
        head.sendall(b"POST /pix HTTP/1.1\r\nHost: loc")
        body.sendall(b"POST /pix HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n"
                     b"Content-Type: application/soap+xml\r\n\r\nabc")  # fmt: skip
        began = time.monotonic()
        assert tight.client("pharmacy-c").request("GET", "/pix?wsdl").status == 200
        # Shorter than the usual limits of 10, 60 and 30 s.
        assert statuses(received(head, 9)[0]) == [408]
        assert statuses(received(body, 20)[0]) == [408]
        assert received(idle, 20) == (b"", True)
        assert time.monotonic() - began < 25
    assert any(event["code"] == "LIMIT" for event in tight.events(0))


def _revoke(folder: Path, *names: str) -> None:
    """Put certificates on the revocation list that the gateway reads."""
    pki = folder / "pki"
    authority = make.Issued(
        x509.load_pem_x509_certificate((pki / "ca.pem").read_bytes()),
        saml.load_key((pki / "ca.key").read_bytes()),
    )
    now = datetime.now(UTC)
    entries = [
        (x509.load_pem_x509_certificate((pki / "clients" / f"{name}.pem").read_bytes())
         .serial_number, now - timedelta(minutes=1), x509.ReasonFlags.key_compromise)
        for name in names
    ]  # fmt: skip
    crl = make.revocation_list(
        authority, since=now - timedelta(days=1), until=now + timedelta(days=30), revoked=entries
    )
    (pki / "clients.crl.pem").write_bytes(crl.public_bytes(Encoding.PEM))


def test_j_08_a_certificate_of_nobody_gets_an_empty_403(tight: Site) -> None:
    with tight.nothing_left("TLS", count=4):
        client = tight.client("stranger")
        asked = "POST /pix, GET /pix?wsdl, POST /uploads, GET /uploads/x, POST /documents, GET /x"
        for method, path in (line.split() for line in asked.split(", ")):
            answer = client.request(method, path, b"" if method == "POST" else None)
            assert (answer.status, answer.body) == (403, b""), path


def test_j_08_tls_below_the_minimum_and_without_certificate_is_an_alert(tight: Site) -> None:
    pki = tight.folder / "pki"
    import socket

    for version, certificate in ((ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, False)):
        context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
        context.maximum_version = version
        if certificate:
            context.load_cert_chain(pki / "clients/lab-d.pem", pki / "clients/lab-d.key")
        with socket.create_connection(("127.0.0.1", tight.port), timeout=5) as plain:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                with context.wrap_socket(plain, server_hostname="localhost") as connection:
                    connection.sendall(WSDL)
                    if not connection.recv(100):
                        raise ConnectionResetError
    with socket.create_connection(("127.0.0.1", tight.port), timeout=5) as plain:
        plain.sendall(WSDL)  # plain HTTP on the TLS port
        assert b"HTTP" not in plain.recv(1000)


def test_j_03_a_certificate_revoked_while_its_connection_is_open_is_refused(tight: Site) -> None:
    with tight.raw("pharmacy-c", wait=20) as connection:
        connection.sendall(WSDL)
        assert statuses(received(connection, 1)[0]) == [200]
        _revoke(tight.folder, "pharmacy-c")
        until = time.monotonic() + 30
        found = [200]
        while found == [200] and time.monotonic() < until:
            time.sleep(0.2)
            connection.sendall(WSDL)
            answer, _ = received(connection, 1)
            found = statuses(answer)
        assert found == [403]
        assert answer.partition(b"\r\n\r\n")[2] == b""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        with tight.raw("pharmacy-c") as again:
            again.sendall(WSDL)
            if not again.recv(100):
                raise ConnectionResetError
    assert tight.client("hospital-a").request("GET", "/pix?wsdl").status == 200


def test_o_04_a_facility_suspended_while_its_connection_is_open_is_refused(tight: Site) -> None:
    client = tight.client("lab-d")
    assert client.request("GET", "/pix?wsdl").status == 200
    forked.run(
        "facility", "suspend", "lab-d", "--reason", "test",
        "--config", str(tight.folder / "gateway.toml"),
    ).check_returncode()  # fmt: skip
    until = time.monotonic() + 30
    status = 200
    while status == 200 and time.monotonic() < until:
        time.sleep(1.2)
        status = client.request("GET", "/pix?wsdl").status
    assert status == 403

"""HL7 v2 over MLLP and TLS, on a gateway that serves (`security.md` 2.2, E-01 to E-04, R-16)."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.edge.peer import END, START, Sender, code, message, result
from tests.hostile.site import UNLIMITED, Site, configure, free_port, serve
from tests.hostile.xua import equip
from tests.served import Templates


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Path:
    folder = tmp_path_factory.mktemp("mllp") / "installation"
    templates.copy("sqlite", folder)
    equip(folder)
    return folder


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {"mllp": free_port()}


@pytest.fixture(scope="module")
def site(place: Path, ports: dict[str, int]) -> Iterator[Site]:
    configure(
        place, limits={**UNLIMITED, "body_seconds": 2, "connections_per_client": 4},
        mllp={"port": ports["mllp"], "idle_seconds": 3, "senders": ["KANAGAWA=clinic-b"]},
    )  # fmt: skip
    with serve(place) as made:
        yield made
    assert not made.told()
    assert not made.defects()


def settle(site: Site) -> None:
    """Wait until nothing is being worked through any more."""
    until = time.monotonic() + 60
    while site.query("SELECT count(*) FROM upload_file WHERE state = 'received'")[0][0]:
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def settled(request: pytest.FixtureRequest) -> None:
    """What earlier tests sent is worked through before a test looks at what it leaves."""
    if "site" in request.fixturenames:
        settle(request.getfixturevalue("site"))


@pytest.fixture
def sender(site: Site, ports: dict[str, int]) -> Iterator[Sender]:
    made = Sender(site.folder / "pki", ports["mllp"])
    yield made
    made.close()


def files(site: Site, name: str) -> list[tuple[Any, ...]]:
    return site.query(
        "SELECT f.state, f.facility, u.source, f.format FROM upload_file f "
        "JOIN upload u ON u.receipt = f.receipt WHERE f.path = ?", f"{name}.hl7",
    )  # fmt: skip


def worked(site: Site, name: str) -> tuple[Any, ...]:
    """The file of a control id, once it was worked through."""
    until = time.monotonic() + 90  # a lease of a killed worker has to run out first
    while True:
        (found,) = files(site, name)
        if found[0] != "received" or time.monotonic() > until:
            return tuple(found)
        time.sleep(0.05)


def test_a_message_is_kept_before_it_is_acknowledged(site: Site, sender: Sender) -> None:
    answer = sender.send(message("OK-1"))
    assert code(answer) == "AA"
    assert b"MSA|AA|OK-1\r" in answer
    assert len(files(site, "OK-1")) == 1  # there as soon as the answer is
    assert worked(site, "OK-1") == ("standardized", "hospital-a", "emr", "hl7/ADT^A08")
    assert code(sender.send(message("OK-2"))) == "AA"


def test_the_same_bytes_again_get_the_same_answer_and_do_nothing(
    site: Site, sender: Sender
) -> None:
    first = sender.send(message("SAME-1"))
    again = sender.send(message("SAME-1"))
    assert first == again
    assert len(files(site, "SAME-1")) == 1
    settle(site)
    with site.nothing_left("REPLAY"):
        other = sender.send(message("SAME-1", name="YAMADA^JIRO"))
    assert code(other) == "AE 205"
    assert b"JIRO" not in other
    assert code(sender.send(message("SAME-1", system="OTHER"))) == "AA"


def test_one_control_id_from_many_connections_at_once_is_one_message(
    site: Site, ports: dict[str, int]
) -> None:
    senders = [Sender(site.folder / "pki", ports["mllp"]) for _ in range(4)]
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda one=one: answers.append(one.send(message("RACE-1"))))
        for one in senders
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in senders:
        one.close()
    assert len(set(answers)) == 1
    assert code(answers[0]) == "AA"
    assert len(files(site, "RACE-1")) == 1


@pytest.mark.parametrize(
    ("ask", "good", "bad"),
    [("|", ["AA"], ["AE 102"]), ("AL|NE", ["CA"], ["CE 102"]), ("NE|AL", ["AA"], ["AE 102"]),
     ("AL|AL", ["CA", "AA"], ["CE 102", "AE 102"]), ("ER|", [], ["CE 102"]), ("SU|ER", ["CA"],
     ["AE 102"]), ("NE|NE", [], [])],
)  # fmt: skip
def test_enhanced_mode(
    site: Site, sender: Sender, ask: str, good: list[str], bad: list[str]
) -> None:
    """HL7 v2.5 2.9.3: MSH-15 and MSH-16 say what is answered."""
    number = f"ASK{'.'.join(ask.split('|'))}".replace(".", "-")
    sender.write(START + message(number, ask=ask) + END)
    assert [code(sender.read()) for _ in good] == good
    wrong = message(f"{number}-B", ask=ask).replace(b"19620304", b"20260230")
    sender.write(START + wrong + END)
    assert [code(sender.read()) for _ in bad] == bad
    assert code(sender.send(message(f"{number}-C"))) == "AA"
    assert len(files(site, number)) == 1
    assert not files(site, f"{number}-B")


def test_two_frames_in_one_packet_are_answered_in_turn(sender: Sender) -> None:
    sender.write(START + message("P-1") + END + START + message("P-2") + END)
    assert [b"|P-1\r" in sender.read(), b"|P-2\r" in sender.read()] == [True, True]


def test_a_frame_in_many_packets_is_one(sender: Sender) -> None:
    sender.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    content = START + message("SLICE-1") + END
    for place in range(0, len(content), 40):
        sender.write(content[place : place + 40])
        time.sleep(0.005)
    assert code(sender.read()) == "AA"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", None, id="no start block"),
        pytest.param(START + message("F-1")[:-1] + END, "AR 100", id="FS inside a segment"),
        pytest.param(START + b"\x0b" + message("F-2") + END, "AR 100", id="two start blocks"),
        pytest.param(START + message("F-3") + message("F-4") + END, "AR 100", id="two messages"),
        pytest.param(START + message("F-5").replace(b"\r", b"\n")[:-1] + b"\r" + END, "AR 100",
                     id="LF"),
        pytest.param(START + END, "AR 100", id="nothing"),
    ],
)  # fmt: skip
def test_wrong_framing_ends_the_connection(
    site: Site, sender: Sender, sent: bytes, expected: str | None
) -> None:
    """E-02: nothing behind it is looked at, however well it begins."""
    with site.nothing_left("HL7-FMT"):
        sender.write(sent + START + message("SMUGGLED") + END)
        answer = sender.read()
        assert (code(answer) if expected else answer) == (expected or b"")
        assert sender.read() == b""
    assert not files(site, "SMUGGLED")


def test_half_a_frame_is_no_message(site: Site, ports: dict[str, int]) -> None:
    with site.nothing_left("HL7-FMT"):
        sender = Sender(site.folder / "pki", ports["mllp"])
        sender.write(START + message("HALF-1"))
        sender.connection.unwrap().close()


def test_a_slow_frame_ends_and_an_idle_connection_too(site: Site, sender: Sender) -> None:
    with site.nothing_left("LIMIT"):
        begun = time.monotonic()
        sender.write(START + message("SLOW-1")[:40])
        assert sender.read() == b""  # well before the usual 60 s: the sender waits 20 s
        assert time.monotonic() - begun > 1.5


def test_an_idle_connection_is_closed_without_a_word(site: Site, ports: dict[str, int]) -> None:
    begun = time.monotonic()
    sender = Sender(site.folder / "pki", ports["mllp"])
    assert sender.read() == b""  # well before the usual 900 s: the sender waits 20 s
    assert time.monotonic() - begun > 2.5
    sender.close()


def test_a_message_over_the_limit_is_refused(site: Site, sender: Sender) -> None:
    with site.nothing_left("LIMIT"):
        sender.write(START + message("BIG-1"))
        rest = b"OBX|1|ST|1||" + b"x" * (21 * 1024 * 1024)
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            sender.write(rest)
        assert sender.read()[:3] in (b"MSH", b"")


def test_too_many_connections_of_one_client(site: Site, ports: dict[str, int]) -> None:
    senders = [Sender(site.folder / "pki", ports["mllp"]) for _ in range(5)]
    answers = []
    for number, one in enumerate(senders):
        try:
            answers.append(one.send(message(f"MANY-{number}")))
        except (ConnectionError, ssl.SSLError):
            answers.append(b"")
    for one in senders:
        one.close()
    assert [bool(one) for one in answers] == [True] * 4 + [False]


@pytest.mark.parametrize("name", ["neighbour-n", None])
def test_who_has_no_facility_is_not_answered(
    site: Site, ports: dict[str, int], name: str | None
) -> None:
    if name is None:
        open_context = ssl.create_default_context(cafile=str(site.folder / "pki" / "ca.pem"))
        with socket.create_connection(("127.0.0.1", ports["mllp"]), timeout=10) as plain:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                with open_context.wrap_socket(plain, server_hostname="localhost") as made:
                    made.sendall(START + message("NOBODY") + END)
                    assert not made.recv(100)
                    raise ConnectionError
        return
    with site.nothing_left("TLS"):
        sender = Sender(site.folder / "pki", ports["mllp"], name)
        assert sender.send(message("NEIGHBOUR")) == b""
        sender.close()


@pytest.mark.parametrize(
    ("who", "facility", "expected"),
    [
        ("hospital-a", "ANY NAME", "AA"),
        ("hospital-a", "hospital-a", "AA"),
        ("hospital-a", "clinic-b", "AR 204"),
        ("hospital-a", "X^2.999.30.2^ISO", "AR 204"),
        ("hospital-a", "X^2.999.30.1^ISO", "AA"),
        ("hospital-a", "KANAGAWA", "AR 204"),
        ("clinic-b", "KANAGAWA", "AA"),
        ("clinic-b", "ANY NAME", "AR 204"),
        ("clinic-b", "clinic-b", "AA"),
    ],
)
def test_msh_4_that_names_another_facility_is_refused(
    site: Site, ports: dict[str, int], who: str, facility: str, expected: str
) -> None:
    """E-04: the certificate says who sends; configured names bind, unknown ones do not harm."""
    sender = Sender(site.folder / "pki", ports["mllp"], who)
    number = f"MSH4-{who}-{abs(hash(facility)) % 10**6}"
    before = site.last_event()
    assert code(sender.send(message(number, "B-1", facility=facility))) == expected
    sender.close()
    if expected != "AA":
        told = [one for one in site.recorded(before, ("AUTH-SPOOF",), 1) if one["code"]]
        assert [one["outcome"] for one in told] == [8]
        assert not files(site, number)


def test_a_laboratory_delivers_for_those_it_has_a_contract_with(
    site: Site, ports: dict[str, int]
) -> None:
    sender = Sender(site.folder / "pki", ports["mllp"], "lab-d")
    assert code(sender.send(result("LAB-1"))) == "AA"  # one contract: for whom is plain
    assert worked(site, "LAB-1")[1:] == ("hospital-a", "lab", "hl7/OUL^R22")
    assert code(sender.send(result("LAB-2", authority="&2.999.30.1&ISO"))) == "AA"
    assert code(sender.send(result("LAB-3", to="clinic-b"))) == "AE 204"
    assert code(sender.send(result("LAB-4", authority="&2.999.30.2&ISO"))) == "AE 204"
    assert code(sender.send(result("LAB-5", facility="clinic-b"))) == "AR 204"
    sender.close()
    assert not [files(site, f"LAB-{n}") for n in (3, 4, 5) if files(site, f"LAB-{n}")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (message("C-1").replace(b"0000190001", b""), "AE 101"),
        (message("C-2").replace(b"19620304", b"20260230"), "AE 102"),
        (message("C-3", kind="ADT^A40^ADT_A39"), "AE 204"),
        (message("C-4", kind="ADT^Z99"), "AR 201"),
        (message("C-5", kind="SIU^S12"), "AR 200"),
        (message("C-6").replace(b"|2.5|", b"|9.9|"), "AR 203"),
        (message("C-7").replace(b"|P|", b"|X|"), "AR 202"),
        (message("").replace(b"|P|", b"|P|"), "AR 101"),
        (message("C-8").replace(b"YAMADA", b"\x1b$B;3"), "AE 102"),
        (message("C-9").replace(b"PV1|", b"PID|1||9^^^^PI\rPV1|"), "AE 102"),
        (message("C-A").replace(b"YAMADA", b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-"
                                b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"), "AE 103"),
    ],
)  # fmt: skip
def test_one_ae_or_ar_means_that_nothing_is_kept(
    site: Site, sender: Sender, content: bytes, expected: str
) -> None:
    with site.nothing_left():
        assert code(sender.send(content)) == expected
    assert code(sender.send(message(f"AFTER-{abs(hash(content)) % 10**6}"))) == "AA"


def test_an_answer_to_an_order_is_kept_and_adds_nothing(site: Site, sender: Sender) -> None:
    content = message("ORG-1", kind="ORG^O20^ORG_O20").replace(b"EVN||", b"MSA|AA|")
    assert code(sender.send(content)) == "AA"
    assert worked(site, "ORG-1")[0] == "standardized"


def test_utf_8_and_shift_jis_as_declared(sender: Sender) -> None:
    text = message("ENC-1", name="KARI^X").decode("ascii")
    told = text.replace("~ISO IR87", "UNICODE UTF-8").replace("KARI", "架空")
    assert code(sender.send(told.encode("utf-8"))) == "AA"
    told = text.replace("ENC-1", "ENC-2").replace("KARI", "架空")
    assert code(sender.send(told.encode("cp932"))) == "AE 102"


def test_large_messages_pass(sender: Sender) -> None:
    content = message("LARGE-1") + b"".join(
        b"OBX|%d|ST|X^x^99L||" % number + b"y" * 1000 + b"||||||F\r" for number in range(3000)
    )
    assert code(sender.send(content)) == "AA"


# --- last: they stop the gateway ------------------------------------------------------------------


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path, templates: Templates) -> None:
    """R-01 and E-03: killed at any moment, what was answered AA is there, and answered the same."""
    import shutil

    folder = tmp_path / "copy"
    templates.copy("sqlite", folder)
    equip(folder)
    port = free_port()
    configure(folder, limits=UNLIMITED, mllp={"port": port})
    acknowledged: dict[str, bytes] = {}
    for turn in range(3):
        with serve(folder, log=f"kill-{turn}") as served:
            sender = Sender(folder / "pki", port)
            for number in range(20 + 7 * turn):
                name = f"K{turn}-{number}"
                answer = sender.send(message(name, time=f"202611{turn + 1:02d}0900{number:02d}"))
                assert code(answer) == "AA"
                acknowledged[name] = answer
            sender.write(START + message(f"K{turn}-LAST") + END)
            served.process.kill()
            served.process.wait(timeout=20)
            sender.close()
    with serve(folder, log="kill-end") as served:
        for name in acknowledged:
            assert worked(served, name)[0] == "standardized", name
        sender = Sender(folder / "pki", port)
        turn, number = 2, 5
        again = message(f"K{turn}-{number}", time=f"202611{turn + 1:02d}0900{number:02d}")
        assert sender.send(again) == acknowledged[f"K{turn}-{number}"]
        sender.close()
        served.process.terminate()
        assert served.process.wait(timeout=30) == 0
    shutil.rmtree(folder)


def test_a_stop_answers_the_frame_that_has_begun(tmp_path: Path, templates: Templates) -> None:
    """R-16: idle connections close at once, a begun frame is received and answered."""
    folder = tmp_path / "stop"
    templates.copy("sqlite", folder)
    equip(folder)
    port = free_port()
    configure(folder, limits=UNLIMITED, mllp={"port": port})
    with serve(folder) as served:
        idle, busy = Sender(folder / "pki", port), Sender(folder / "pki", port)
        assert code(busy.send(message("STOP-0"))) == "AA"
        content = message("STOP-1")
        busy.write(START + content[:50])
        time.sleep(0.3)
        served.process.terminate()
        assert idle.read() == b""
        busy.write(content[50:] + END)
        assert code(busy.read()) == "AA"
        assert busy.read() == b""
        assert served.process.wait(timeout=30) == 0
        assert len(files(served, "STOP-1")) == 1
        idle.close()
        busy.close()

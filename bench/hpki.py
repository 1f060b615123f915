"""Signatures: the real e-prescription against its bare cryptography, a large PDF, a large list.

`python -m bench.hpki FILE` verifies a PDF in this process and tells the memory that it took. The
bare cryptography is every RSA verification and digest that the verdict on the e-prescription rests
on: its signature and token, the certificates of both paths and the lists about them.
"""

import functools
import hashlib
import importlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

from asn1crypto import cms as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from bench.figures import Figure
from bench.run import Run
from bench.server import REPOSITORY
from gateway.cli import demo_authority as make
from gateway.demo import sign
from gateway.demo.page import one_page
from gateway.hpki import path, revocation
from gateway.hpki.certificates import read_certificate
from gateway.hpki.policy import SignaturePolicy
from gateway.hpki.trust import shipped
from gateway.hpki.verify import verify

_COMMAND = "python -m bench --only hpki"
_AT = datetime(2026, 11, 24, tzinfo=UTC)
_WARM, _COLD = 30.0, 50.0
"Times the bare cryptography."
_PDF = 100 * 1024 * 1024
_ENTRIES = 100_000
_ROOMS = ("certificates", "names", "hcrole", "path", "revocation", "cms", "verify")
_Call = Callable[[], object]


def _bare(vectors: Path) -> tuple[_Call, int]:
    """The cryptography of the e-prescription alone, and how many RSA verifications that is."""

    def certificate(name: str) -> x509.Certificate:
        return x509.load_der_x509_certificate((vectors / "certs" / name).read_bytes())

    def crl(name: str) -> x509.CertificateRevocationList:
        return x509.load_der_x509_crl((vectors / "crls" / name).read_bytes())

    root, middle = certificate("mhlw-hpki-root-ca-v2.der"), certificate("medis-sign-ca2.der")
    card, tsa = certificate("ee-medis-doctor-Test117120.der"), certificate("tsa-test.der")
    tsa_root = certificate("tsa-test-ca.der")
    document = (vectors / "xades" / "prescription-004_01.xml").read_bytes()
    token = asn1.ContentInfo.load((vectors / "tst" / "prescription-sig0.tst.der").read_bytes())
    info = token["content"]["signer_infos"][0]
    signed = info["signed_attrs"].untag().dump()
    steps: list[tuple[rsa.RSAPublicKey, bytes, bytes, hashes.HashAlgorithm]] = []

    def step(by: x509.Certificate, value: bytes, content: bytes, how: object) -> None:
        key = by.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        assert isinstance(how, hashes.HashAlgorithm)
        key.verify(value, content, padding.PKCS1v15(), how)
        steps.append((key, value, content, how))

    for one, by in ((card, middle), (middle, root), (tsa, tsa_root)):
        step(by, one.signature, one.tbs_certificate_bytes, one.signature_hash_algorithm)
    for name, by in (
        ("medis-sign-2022-09-06.crl", middle),
        ("mhlw-sarl-2022-09-05.crl", root),
        ("tsa-test-ca.crl", tsa_root),
    ):
        found = crl(name)
        step(by, found.signature, found.tbs_certlist_bytes, found.signature_hash_algorithm)
    step(tsa, info["signature"].native, signed, hashes.SHA512())
    # The document's own signature: the same size of key, over octets of the size of SignedInfo.
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    content = document[:2048]
    steps.append(
        (
            key.public_key(),
            key.sign(content, padding.PKCS1v15(), hashes.SHA256()),
            content,
            hashes.SHA256(),
        )
    )

    def run() -> None:
        for key, value, content, how in steps:
            key.verify(value, content, padding.PKCS1v15(), how)
        hashlib.sha256(document).digest()
        hashlib.sha512(signed).digest()

    return run, len(steps)


def _without_paths() -> None:
    """Forget the paths and the lists' signatures; trust and lists stay read."""
    path._held.clear()
    revocation._is_signed.cache_clear()


def _forget() -> None:
    """Empty every cache of the room, as a new process has them."""
    path._held.clear()
    for room in _ROOMS:
        module = importlib.import_module(f"gateway.hpki.{room}")
        for value in vars(module).values():
            if isinstance(value, functools._lru_cache_wrapper):
                value.cache_clear()


def _beside(do: _Call, bare: _Call, times: int, before: _Call | None = None) -> tuple[float, float]:
    """Median CPU seconds of both, in turns: what else the machine does hits both."""
    mine, floor = [], []
    for _ in range(times):
        if before is not None:
            before()
        begun = time.process_time()
        do()
        done = time.process_time()
        for _ in range(5):
            bare()
        mine.append(done - begun)
        floor.append((time.process_time() - done) / 5)
    return statistics.median(mine), statistics.median(floor)


def _prescription(vectors: Path) -> Iterator[Figure]:
    content = (vectors / "xades" / "prescription-004_01.xml").read_bytes()
    policy = SignaturePolicy(trust=shipped(), accept_test=True)

    def judge() -> None:
        assert verify(content, policy, at=_AT).passed

    judge()
    bare, count = _bare(vectors)
    bare()
    against = f"{count} RSA verifications, digests"
    before: _Call | None
    for name, goal, before in (
        ("warm", f"<= {_WARM:g}", None),
        ("cold", f"<= {_COLD:g}", _without_paths),
        ("nothing-kept", "", _forget),
    ):
        mine, floor = _beside(judge, bare, 200 if before is None else 60, before)
        yield Figure(
            name=f"xades-t-{name}", figure=mine * 1e6, unit="us CPU/document", against=against,
            floor=floor * 1e6, ratio=mine / floor, goal=goal, command=_COMMAND,
        )  # fmt: skip
        if before is None:
            yield Figure(
                name="xades-t-one-core", figure=1 / mine, unit="documents/CPU s", against=against,
                floor=1 / floor, ratio=floor / mine, goal="", command=_COMMAND,
            )  # fmt: skip


def large_pdf(size: int) -> tuple[bytes, sign.DummyTimeStamper]:
    """A signed PDF of about so many bytes (PAdES-T), and the authority that stamped it."""
    from pyhanko.pdf_utils import generic
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    born, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC)
    key = make.rsa_key()
    root = make.issue(
        make.name("Bench Root"), key, None, make.authority(), serial=1, since=born, until=end
    )
    card = make.issue(make.name("Bench Card"), key, root, (make.usage("content_commitment"),),
                      serial=2, since=born, until=end)  # fmt: skip
    tsa = make.issue(make.name("Bench TSA"), key, root,
                     (make.usage("digital_signature"), make.stamping()),
                     serial=3, since=born, until=end)  # fmt: skip
    writer = IncrementalPdfFileWriter(BytesIO(one_page(("bench",))))
    filler = os.urandom(max(size - 60_000, 1))
    writer.root[generic.NameObject("/Filler")] = writer.add_object(
        generic.StreamObject(stream_data=filler)
    )
    writer.update_root()
    out = BytesIO()
    writer.write(out)
    hand = sign.Card(certificate=card.certificate, key=card.key)
    stamper = sign.stamper(tsa.certificate, tsa.key, datetime(2026, 5, 1, tzinfo=UTC))
    return sign.pades(out.getvalue(), hand, stamper), stamper


def archived_pdf(pdf: bytes, stamper: sign.DummyTimeStamper) -> bytes:
    """The same with a document time-stamp behind it (PAdES-LTA)."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign.signers import PdfTimeStamper

    out = PdfTimeStamper(stamper).timestamp_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), "sha256")
    return bytes(out.getbuffer())


def _documents(size: int) -> Iterator[Figure]:
    pdf, stamper = large_pdf(size)
    yield from _memory(f"pdf-{size // 1024**2}-mib", pdf)
    yield from _memory(f"pdf-archived-{size // 1024**2}-mib", archived_pdf(pdf, stamper))


def _memory(name: str, pdf: bytes) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "large.pdf"
        file.write_bytes(pdf)
        done = subprocess.run(
            [sys.executable, "-m", "bench.hpki", str(file)],
            capture_output=True, text=True, check=True, cwd=REPOSITORY,
        )  # fmt: skip
        mib = file.stat().st_size / 1024**2
    grown, seconds = map(float, done.stdout.split())
    yield Figure(
        name=f"{name}-memory", figure=grown, unit="MiB over start",
        against="the file's size", floor=mib, ratio=grown / mib, goal="<= 2", command=_COMMAND,
    )  # fmt: skip
    yield Figure(
        name=f"{name}-time", figure=seconds, unit="CPU s", against="the sandbox",
        floor=10.0, ratio=seconds / 10, goal="<= 1", command=_COMMAND,
    )  # fmt: skip


def _list(entries: int) -> Iterator[Figure]:
    since = datetime(2026, 5, 1, tzinfo=UTC)
    root = make.issue(
        make.name("Bench Root"), make.rsa_key(), None, make.authority(),
        serial=1, since=since - timedelta(days=1), until=since + timedelta(days=900),
    )  # fmt: skip
    card = make.issue(make.name("Bench Card"), root.key, root, (), serial=2 * entries,
                      since=since, until=since + timedelta(days=90))  # fmt: skip
    der = make.revocation_list(
        root, since=since, until=since + timedelta(days=4),
        revoked=[(2 * n, since, x509.ReasonFlags.superseded) for n in range(1, entries + 1)],
    ).public_bytes(Encoding.DER)  # fmt: skip
    begun = time.process_time()
    read = revocation.read_list(der)
    loaded = time.process_time() - begun
    yield Figure(
        name="crl-100k-load", figure=loaded, unit="CPU s", against="the bound", floor=1.0,
        ratio=loaded, goal="<= 1", command=_COMMAND,
    )  # fmt: skip
    begun = time.process_time()
    for serial in range(20_000):
        revocation.look_up(read, serial)
    found = (time.process_time() - begun) / 20_000 * 1e6
    assert revocation.look_up(read, 2 * entries)
    assert not revocation.look_up(read, 3)
    yield Figure(
        name="crl-100k-look-up", figure=found, unit="us CPU", against="the bound", floor=10.0,
        ratio=found / 10, goal="<= 1", command=_COMMAND,
    )  # fmt: skip
    certificate, issuer = read_certificate(card.der), read_certificate(root.der)
    begun = time.process_time()
    for _ in range(500):
        revocation.status(
            certificate, issuer, [read], moment=since, now=since, grace=timedelta(0),
            digests=frozenset({"sha256"}),
        )  # fmt: skip
    whole = (time.process_time() - begun) / 500 * 1e6
    yield Figure(
        name="crl-100k-status", figure=whole, unit="us CPU", against="the look-up alone",
        floor=found, ratio=whole / found, goal="", command=_COMMAND,
    )  # fmt: skip


def measure(run: Run) -> Iterator[Figure]:
    """Every row; the e-prescription only where the published one is."""
    shared = run.shared
    if shared is not None:
        yield from _prescription(shared / "hpki" / "vectors" / "hpki-real")
    yield from _list(_ENTRIES)
    yield from _documents(min(run.document, _PDF))


def main() -> None:
    """The memory and the time that verifying one PDF takes."""
    importlib.import_module("gateway.hpki.pdf")
    importlib.import_module("gateway.hpki.times")
    policy = SignaturePolicy(trust=shipped())
    before = _peak()
    begun = time.process_time()
    report = verify(Path(sys.argv[1]).read_bytes(), policy, at=_AT)
    done = time.process_time() - begun
    checks = {check.name: check.outcome.value for check in report.signatures[0].checks}
    assert (checks["digest"], checks["coverage"]) == ("passed", "passed"), checks
    print(f"{_peak() - before:.1f} {done:.3f}")


def _peak() -> float:
    """MiB of the most memory that this process ever had; its parent's do not count."""
    status = Path("/proc/self/status").read_text("ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()

"""Every reader at the doors, fed with damaged good input at random seeds (`security.md` R-12, G6).

A reader answers with a value or a refusal; anything else is a find. `EXAMPLES` says how many.
"""

import io
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from lxml import etree

from conformance import client, messages
from gateway.app import transactions
from gateway.demo.files import laboratory, notebook, storage
from gateway.edge.forms import FormReader
from gateway.edge.sandbox_child import look
from gateway.errors import Refusal
from gateway.hpki.verify import verify
from gateway.intake import entry
from gateway.settings import LimitSettings
from gateway.standardize import Upload, archive, batches, read
from gateway.store.blobs import Folder
from gateway.wire import saml, soap
from gateway.wire.faults import Fault
from tests import pki
from tests.conftest import ROOT
from tests.reliability import campaign, load
from tests.saml import AUDIENCE, ENVELOPE, NEIGHBOUR, NOW, neighbour, parsed, pem, signed
from tests.wire.packages import Taken

pytestmark = pytest.mark.campaign
CLAIMS = ROOT / "samples" / "standardize" / "uke" / "RECEIPTC.UKE"
EXAMPLES = int(os.environ.get("EXAMPLES", "20000"))
WORDS = (b"<", b">", b"&", b'"', b"\x00", b"\xff", b"\r\n", b"--", b"|", b"^", b"~", b"\x1b$B",
         b"<!DOCTYPE a>", b"<!--x-->", b"<?x y?>", b"<![CDATA[", b"]]>", b"&#0;", b"xmlns:a=''",
         b"9" * 30, b"-1", b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80")  # fmt: skip
CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from([0, 0, 1, 2, 8, 40, 400]),
        st.one_of(st.sampled_from(WORDS), st.binary(max_size=12)),
    ),
    min_size=1,
    max_size=6,
)
WHO = load.newcomer(random.Random("fuzz"))
ALLOWED = (Refusal, Fault)


def damaged(content: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    for where, cut, put in changes:
        place = int(where * len(content))
        content = content[:place] + put + content[place + cut :]
    return content


def _soap(endpoint: str, action: str, payload: str) -> tuple[bytes, Callable[[bytes], object]]:
    table = transactions()

    def judge(content: bytes) -> None:
        found = soap.read(content)
        transaction = table.get((endpoint, found.action))
        if transaction is not None and transaction.roots[found.action] == found.payload.tag:
            transaction.decode(found.payload)

    return client.envelope(action, payload, to="https://localhost/"), judge


def _saml(content: bytes) -> None:
    saml.verify(
        *parsed(content), saml.trust_of([(NEIGHBOUR, pem(neighbour()))]), audience=AUDIENCE, now=NOW
    )


def _assertion() -> bytes:
    root = etree.fromstring(ENVELOPE)
    from conformance import saml as issuing

    root[0].append(issuing.security(signed()))
    return etree.tostring(root)


def _archive(content: bytes) -> None:
    for one in archive.entries(io.BytesIO(content), LimitSettings()):
        if isinstance(one, Upload):
            with suppress(Refusal):
                read(one)


def _mtom(kind: str) -> Callable[[bytes], object]:
    return lambda content: Taken(kind).feed(content[:200], content[200:])


def _form(folder: Path, kind: str) -> Callable[[bytes], object]:
    blobs = Folder(folder / "blobs")

    def judge(content: bytes) -> None:
        reader = FormReader(kind, open_file=blobs.writer, file_bytes=10**6)
        try:
            reader.feed(content[:100])
            reader.feed(content[100:])
            reader.close()
        finally:
            reader.form.abort()
            assert not list((folder / "blobs" / "temporary").iterdir())

    return judge


def _claims(content: bytes) -> None:
    """Cutting and reading; a part that is refused is a batch that says so."""
    for batch in batches(Upload(path="RECEIPTC.UKE", content=content)):
        assert batch.account or batch.findings


def _verify(content: bytes) -> None:
    verify(content, pki.policy(), at=pki.NOW, received=pki.NOW)
    look(content)


def _readers(folder: Path) -> dict[str, tuple[bytes, Callable[[bytes], object], int]]:
    """Reader to good input, judge, and by how much fewer examples it gets because it is slow."""
    person = WHO.person
    domain, value = load.HOSPITAL, WHO.hospital
    kind, package = client.multipart(b"<a/>", {"p@x": ("application/pdf", b"bytes")})
    form_kind, form = load.form({"source": b"emr"}, [("file", "a.hl7", b"content")])
    entry_json = (
        b'{"patient": {"domain": "2.999.30.1", "value": "1"}, "title": "x", "n": [1, 2.5], '
        b'"created": "2026-11-20T00:00:00+09:00", "author": {"name": "y"}}'
    )

    def text(name: str) -> Callable[[bytes], object]:
        return lambda content: read(Upload(path=name, content=content))

    return {
        "iti44": (*_soap("/pix", messages.FEED_ADD, messages.feed(domain, value, person)), 1),
        "iti44-merge": (
            *_soap("/pix", messages.FEED_MERGE, messages.merge(domain, value, "9", person)), 1,
        ),
        "iti45": (*_soap("/pix", messages.PIX_QUERY, messages.pix_query(domain, value)), 1),
        "iti55": (
            *_soap("/xcpd", messages.DISCOVERY, messages.discovery(person, ids=[(domain, value)])),
            1,
        ),
        "iti39": (
            *_soap(
                "/xca/retrieve", messages.GATEWAY_RETRIEVE,
                messages.retrieve([("2.999.40.1", "1.2.3")], home="2.999.10.1"),
            ), 1,
        ),
        "saml": (_assertion(), _saml, 4),
        "mtom": (package, _mtom(kind), 1),
        "multipart": (form, _form(folder, form_kind), 2),
        "archive": (storage(WHO, load.DAY), _archive, 4),
        "hl7v2": (
            laboratory(WHO, load.DAY), text("a.hl7"), 2,
        ),
        "notebook": (
            notebook(WHO, load.DAY), text("a.csv"), 2,
        ),
        "claims": (CLAIMS.read_bytes(), _claims, 2),
        "entry": (entry_json, lambda content: entry.parse(content), 1),
        "xades": (pki.prescription(), _verify, 40),
        "pades": (pki.pdf(), _verify, 40),
    }  # fmt: skip


NAMES = ("iti44", "iti44-merge", "iti45", "iti55", "iti39", "saml", "mtom", "multipart", "archive",
         "hl7v2", "notebook", "claims", "entry", "xades", "pades")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_fuzz(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    content, judge, slowness = _readers(tmp_path)[name]
    judge(content)  # the good one passes
    outcomes = {"taken": 0, "refused": 0}
    with campaign.figure(request) as figure:

        @seeded(int(figure.seed))
        @settings(
            max_examples=max(50, EXAMPLES // slowness), deadline=None, database=None,
            derandomize=False, phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(CHANGES)
        def hunt(changes: list[tuple[float, int, bytes]]) -> None:
            try:
                judge(damaged(content, changes))
                outcomes["taken"] += 1
            except ALLOWED:
                outcomes["refused"] += 1

        hunt()
        figure.say(f"{outcomes['taken']} taken, {outcomes['refused']} refused, 0 anything else")


def test_names_are_the_readers(tmp_path: Path) -> None:
    assert set(NAMES) == set(_readers(tmp_path))

"""ITI-38 with ten entries and ITI-39 of 1 MiB, beside IPF's canned answers; ITI-39 of 1 GiB."""

import hashlib
import http.client
import ssl
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench import documents, installation, peer, questions, server, windows
from bench.figures import Figure
from bench.generator import MESSAGE_ID, Job
from bench.run import Run

_COMMAND = "python -m bench --only xca"
_SMALL = 1024 * 1024
_BLANK = b"\r\n\r\n"


def measure(run: Run) -> Iterator[Figure]:
    """Two rows that are printed beside IPF's, and one goal."""
    place = installation.make("documents", 10, folder=run.folder)
    (*_, wanted) = documents.file(place, [_SMALL] * 9 + [run.document])
    yield from _beside_ipf(run, place)
    yield _large(run, place, wanted)


def _beside_ipf(run: Run, place: Path) -> Iterator[Figure]:
    judged = None if run.schemas is None else installation.with_schemas(place, run.schemas)
    with ExitStack() as stack:
        ours = stack.enter_context(server.gateway(place, settings=judged))
        jobs = {
            "iti38": questions.find(ours, place),
            "iti39": questions.retrieve(ours, place),
        }
        if run.peer:
            ipf = stack.enter_context(peer.responder(place))
            jobs["ipf iti38"] = questions.find(ipf, place, path="/iti38")
            jobs["ipf iti39"] = questions.retrieve(ipf, place, path="/iti39")
        series = windows.measure(jobs, run)
    for name, title in (("iti38", "iti38-10-entries"), ("iti39", "iti39-1-mib")):
        mine = 1e6 / series[name].each
        theirs, against = peer.rate(name, series.get(f"ipf {name}"))
        yield Figure(
            name=title, figure=mine, unit="answers/CPU s", against=against, floor=theirs,
            ratio=mine / theirs, goal="", command=_COMMAND, seed=installation.SEED,
        )  # fmt: skip


def _large(run: Run, place: Path, wanted: str) -> Figure:
    """The most memory that one large document takes, over what the server takes when idle."""
    with server.gateway(place) as ours:
        _fetch(questions.retrieve(ours, place), 1)  # what the first request loads
        idle = ours.resident()
        ours.forget_peak()
        digest, size = _fetch(questions.retrieve(ours, place, number=10), run.document)
        more = ours.peak() - idle
    if digest != wanted or size != run.document:
        raise RuntimeError("the large document came back altered")
    return Figure(
        name=f"iti39-{run.document >> 20}-mib-memory", figure=more, unit="MiB over idle",
        against="idle", floor=idle, ratio=more, goal="<= 64", command=_COMMAND,
        seed=installation.SEED,
    )  # fmt: skip


def _fetch(job: Job, size: int) -> tuple[str, int]:
    """Ask once and hash the attachment as it comes: never the whole of it in memory.

    The package is ours to read by its frame: the root part, one attachment, the closing boundary.
    """
    context = ssl.create_default_context(cafile=job.authority)
    context.load_cert_chain(job.certificate, job.key)
    connection = http.client.HTTPSConnection("localhost", job.port, context=context, timeout=120)
    try:
        connection.request(
            "POST",
            job.path,
            job.body.replace(MESSAGE_ID, str(uuid.uuid4())),
            {"Content-Type": job.kind},
        )
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"status {response.status}: {response.read()[:500]!r}")
        head = b""
        while head.count(_BLANK) < 2:  # headers of the root part, headers of the attachment
            head += response.read(4096)
        rest = head.split(_BLANK, 2)[2]
        digest, left = hashlib.sha256(rest[:size]), size - len(rest[:size])
        while left and (piece := response.read(min(left, documents.CHUNK))):
            digest.update(piece)
            left -= len(piece)
        tail = rest[size:] + response.read()
    finally:
        connection.close()
    if not tail.startswith(b"\r\n--") or not tail.rstrip().endswith(b"--"):
        return "", 0
    return digest.hexdigest(), size - left

"""ITI-45 over mutual TLS with keep-alive, on SQLite: against a bare echo, by size, against IPF."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack

from bench import installation, peer, questions, server, windows
from bench.figures import Figure
from bench.run import Run

_COMMAND = "python -m bench --only pix"


def measure(run: Run) -> Iterator[Figure]:
    """Three rows."""
    small = installation.make("small", run.small, folder=run.folder)
    large = installation.make("large", run.large, folder=run.folder)
    with ExitStack() as stack:
        enter = stack.enter_context
        jobs = {}
        plain = enter(server.gateway(large))
        jobs["large"] = questions.pix(plain, large, run.large)
        floor = [sys.executable, "-m", "bench.echo", "--config", str(large / "gateway.toml")]
        jobs["echo"] = questions.echoed(
            jobs["large"], enter(server.running(floor, large / "echo.log"))
        )
        few = enter(server.gateway(small))
        jobs["small"] = questions.pix(few, small, run.small)
        if run.schemas is not None:
            judged = enter(
                server.gateway(
                    large, settings=installation.with_schemas(large, run.schemas, beside=True)
                )
            )
            jobs["schemas"] = questions.pix(judged, large, run.large)
        if run.peer:
            found = enter(peer.responder(large))
            jobs["ipf"] = questions.pix(found, large, run.large, path="/iti45")
        series = windows.measure(jobs, run)
    at = {"command": _COMMAND, "seed": installation.SEED}
    yield Figure(
        name="iti45-sqlite-1m",
        figure=series["large"].each,
        unit="us CPU/request",
        against="bare echo",
        floor=series["echo"].each,
        ratio=windows.ratio(series["large"], series["echo"]),
        goal="<= 2.5",
        **at,
    )
    yield Figure(
        name="iti45-sqlite-growth",
        figure=series["large"].each,
        unit="us CPU/request",
        against=f"{run.small:,} persons",
        floor=series["small"].each,
        ratio=windows.ratio(series["large"], series["small"]),
        goal="<= 1.3",
        **at,
    )
    if "schemas" in series:
        mine = 1e6 / series["schemas"].each
        for suffix, measured in (("", None), ("-measured", series.get("ipf"))):
            if suffix and measured is None:
                continue
            theirs, against = peer.rate("iti45", measured)
            yield Figure(
                name=f"iti45-schemas{suffix}",
                figure=mine,
                unit="answers/CPU s",
                against=against,
                floor=theirs,
                ratio=mine / theirs,
                goal=">= 4",
                **at,
            )

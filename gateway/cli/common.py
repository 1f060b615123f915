"""What every command shares: its settings, its two ways of speaking, its exit codes.

Exit: 0 done, 1 refused or a finding that needs somebody, 2 wrong usage or settings, 3 unavailable
or defect (`INTERFACES.md` section 2). Logs and progress go to stderr, answers to stdout.
"""

import hashlib
import json
import logging
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.errors import Refusal

DONE, REFUSED, USAGE, UNAVAILABLE = 0, 1, 2, 3
_LINE_SECONDS = 10.0
_LATELY_SECONDS = 60.0
_Function = TypeVar("_Function", bound=Callable[..., Any])
_Value = TypeVar("_Value")

config_option = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="GATEWAY_CONFIG",
    default=Path("gateway.toml"),
    show_default=True,
    help="Settings file. 設定ファイル。",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="One JSON document on stdout. JSON で出力します。"
)
document_option = click.option(
    "--document",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="The signed document that it rests on: PDF, XML or .p7m (SIG-05). 署名済みの文書。",
)
"The signed document of a registration; needed where the network's policy says so."


def configured(function: _Function) -> _Function:
    """Add `--config` and `--json` to a command."""
    return config_option(json_option(function))


def now() -> datetime:
    """The moment, in UTC; the composition root is loaded only where a command needs it."""
    from gateway import app

    return app.now()


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def emit(value: Any, *, as_json: bool, text: Callable[[], Iterable[str]]) -> None:
    """Say the answer for machines or for people."""
    if as_json:
        print_json(value)
        return
    for line in text():
        click.echo(line)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Rows under headings, aligned; East Asian wide characters count two columns."""
    cells = [[_shown(cell) for cell in row] for row in rows]
    widths = [
        max([_width(heading), *(_width(row[index]) for row in cells)])
        for index, heading in enumerate(headings)
    ]
    yield "  ".join(_padded(heading, widths[i]) for i, heading in enumerate(headings)).rstrip()
    yield "  ".join("-" * width for width in widths)
    for row in cells:
        yield "  ".join(_padded(cell, widths[i]) for i, cell in enumerate(row)).rstrip()


def _shown(cell: object) -> str:
    """A cell as text on one line; control characters are shown, not obeyed (`security.md` K-10)."""
    text = "" if cell is None else str(cell)
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _width(text: str) -> int:
    """Columns that `text` takes in a terminal."""
    return sum(2 if ord(c) >= 0x1100 and _is_wide(c) else 1 for c in text)


def _is_wide(character: str) -> bool:
    import unicodedata

    return unicodedata.east_asian_width(character) in "WF"


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def progress(items: Sequence[_Value], label: str) -> Iterator[_Value]:
    """Go through `items` with a progress bar and the time left on stderr; none when it is short."""
    if len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, description=label, console=Console(stderr=True), transient=True)


@contextmanager
def progress_of(total: int, label: str) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr for work that counts itself; call what is given at each step."""
    if not sys.stderr.isatty():
        yield lambda steps=1: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps=1: bar.advance(task, steps)


@contextmanager
def progress_left(label: str) -> Iterator[Callable[..., None]]:
    """A bar with the time left on stderr, for work whose end moves; tell it what is done of what.

    It may be told a third thing: by what other label this step of the work goes. Where stderr is
    no terminal, a line every ten seconds instead.
    """
    if not sys.stderr.isatty():
        yield _lines_left(label)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total, step=label: bar.update(
            task, completed=done, total=total, description=step
        )


def _lines_left(label: str) -> Callable[..., None]:
    last, before = time.monotonic(), label
    told: deque[tuple[float, int]] = deque()
    "What was done when, lately: work that goes on after a kill is not as fast as what it skips."

    def tell(done: int, total: int, step: str = label) -> None:
        nonlocal last, before
        now = time.monotonic()
        if step != before:
            told.clear()
        before = step
        if not told or now - told[-1][0] >= 1:
            told.append((now, done))
        while now - told[0][0] > _LATELY_SECONDS and len(told) > 1:
            told.popleft()
        if now - last < _LINE_SECONDS:
            return
        last = now
        since, first = told[0]
        rate = (done - first) / (now - since) if now > since else 0
        left = f"{(total - done) / rate:.0f} s left" if rate > 0 else "?"
        click.echo(f"{step}: {done} of {total}, {rate:.0f}/s, {left}", err=True)

    return tell


def worker(what: str) -> str:
    """The name that a command works the queue by: the same when the same is done again here.

    So what a killed one had taken is found at once, and not only when its time has run out.
    """
    digest = hashlib.sha256(what.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{socket.gethostname()}/{digest[:16]}"


@contextmanager
def repeating(seconds: float, do: Callable[[], object]) -> Iterator[None]:
    """Do something every so often on a thread of its own, while the block goes on.

    A database that is away meanwhile is asked again the next time.
    """
    from gateway.errors import Busy

    over = threading.Event()

    def run() -> None:
        while not over.wait(seconds):
            with suppress(Busy):
                do()

    thread = threading.Thread(target=run, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def speaking() -> Iterator[None]:
    """Turn refusals, wrong settings and defects into their message and exit code."""
    from sqlalchemy.exc import DBAPIError

    from gateway.audit.door import Defect
    from gateway.settings import SettingsError

    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(message)s"
    )
    try:
        yield
    except Refusal as refusal:
        place = f" ({refusal.at})" if refusal.at else ""
        rule = f" [{refusal.rule}]" if refusal.rule else ""
        click.echo(f"refused: {refusal.english}{place}{rule}", err=True)
        if refusal.japanese != refusal.english:
            click.echo(f"拒否: {refusal.japanese}{place}{rule}", err=True)
        sys.exit(REFUSED)
    except SettingsError as error:
        click.echo(f"settings: {error}", err=True)
        click.echo("設定ファイルを直してから、もう一度実行してください。", err=True)
        sys.exit(USAGE)
    except Defect as defect:
        click.echo(f"defect: incident {defect.incident}; see the log", err=True)
        click.echo(f"障害番号 {defect.incident}: ログを確認してください。", err=True)
        sys.exit(UNAVAILABLE)
    except DBAPIError:
        click.echo("the database cannot be used: check [database] url and that it runs", err=True)
        click.echo("データベースに接続できません。[database] url を確認してください。", err=True)
        sys.exit(UNAVAILABLE)

"""The outcomes: a table on the terminal, JSON, and one HTML page that needs nothing else."""

import html
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from conformance.case import Outcome

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;
color:#1b1f24}
h1{font-size:1.6rem;margin-bottom:0}h2{font-size:1.15rem;margin:2rem 0 .4rem}
.sub{color:#57606a;margin:.1rem 0 1rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #d8dee4}
th{font-size:.8rem;color:#57606a}td.id{white-space:nowrap;font-variant-numeric:tabular-nums}
.held{color:#0a6640}.failed{color:#b3261e;font-weight:600}.untried{color:#7a5b00}
td.ms{text-align:right;white-space:nowrap;color:#57606a}.sum td,.sum th{font-size:1rem}
@media(prefers-color-scheme:dark){body{background:#16191d;color:#dfe3e8}th,td{border-color:#333a42}
.held{color:#4cc38a}.failed{color:#ff7b72}.untried{color:#e3b341}}
""".strip()
_HEADINGS = (
    "Case<br>項目", "Section<br>根拠", "Sent<br>送信", "Expected<br>期待",
    "Result<br>結果", "ms",
)  # fmt: skip


def word(outcome: Outcome) -> str:
    """One word for an outcome."""
    if not outcome.tried:
        return "not tried"
    return "held" if outcome.held else "NOT HELD"


def line(outcome: Outcome) -> str:
    """One line of the table on the terminal."""
    case = outcome.case
    return f"{case.id:<10} {word(outcome):<9} {outcome.ms:8.1f} ms  {case.sends}: {outcome.detail}"


def summary(outcomes: Sequence[Outcome]) -> str:
    """The last line."""
    counts = [word(item) for item in outcomes]
    parts = [f"{counts.count(kind)} {kind}" for kind in ("held", "NOT HELD", "not tried")]
    return f"{len(outcomes)} cases: " + ", ".join(parts)


def as_json(outcomes: Sequence[Outcome], target: str, at: datetime) -> dict[str, Any]:
    """The outcomes as one JSON document."""
    return {
        "target": target,
        "at": at.isoformat(timespec="seconds"),
        "held": all(item.held for item in outcomes),
        "cases": [
            {
                "id": item.case.id,
                "actor": item.group.actor,
                "transaction": item.case.transaction,
                "section": item.case.section,
                "sends": item.case.sends,
                "expects": item.case.expects,
                "tried": item.tried,
                "held": item.held,
                "detail": item.detail,
                "ms": item.ms,
            }
            for item in outcomes
        ],
    }


def as_html(outcomes: Sequence[Outcome], target: str, at: datetime) -> str:
    """One self-contained page, in English with Japanese headings."""
    held = all(item.held for item in outcomes)
    verdict = "all cases held / 全項目適合" if held else "not all cases held / 不適合の項目あり"
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>Conformance report</title><style>{_STYLE}</style></head><body>",
        "<h1>Conformance report</h1><p class='sub'>適合性試験報告書</p>",
        "<table class='sum'>",
        _row("Target / 対象", html.escape(target)),
        _row("Date / 実施日時", html.escape(at.isoformat(timespec="seconds"))),
        _row("Cases / 項目数", html.escape(summary(outcomes))),
        _row("Verdict / 判定", f"<span class='{'held' if held else 'failed'}'>{verdict}</span>"),
        "</table>",
    ]
    for actor, transaction in dict.fromkeys(
        (item.group.actor, item.case.transaction) for item in outcomes
    ):
        rows = [
            item
            for item in outcomes
            if (item.group.actor, item.case.transaction) == (actor, transaction)
        ]
        japanese = rows[0].group.actor_ja
        parts.append(f"<h2>{html.escape(f'{transaction} · {actor}')}</h2>")
        parts.append(f"<p class='sub'>{html.escape(japanese)}</p><table><tr>")
        parts.extend(f"<th>{heading}</th>" for heading in _HEADINGS)
        parts.append("</tr>")
        parts.extend(map(_case_row, rows))
        parts.append("</table>")
    parts.append("</body></html>\n")
    return "\n".join(parts)


def _row(heading: str, value: str) -> str:
    return f"<tr><th>{heading}</th><td>{value}</td></tr>"


def _case_row(outcome: Outcome) -> str:
    case = outcome.case
    kind = "untried" if not outcome.tried else "held" if outcome.held else "failed"
    cells = (case.section, case.sends, case.expects)
    inner = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
    result = f"<span class='{kind}'>{word(outcome)}</span><br>{html.escape(outcome.detail)}"
    return (
        f"<tr><td class='id'>{html.escape(case.id)}</td>{inner}<td>{result}</td>"
        f"<td class='ms'>{outcome.ms:.1f}</td></tr>"
    )

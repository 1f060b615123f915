"""The role table: which texts an hcRole may have, and from when to when, as data with dates.

`data/roles.toml` ships with the product. A `[[role]]` row of a trust file adds a text, or takes the
place of the shipped row with the same text.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files as package_files
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One text of the table; a certificate has to state it to the letter."""

    text: str
    japanese: str = ""
    kind: Literal["licence", "office"] = "licence"
    "National licence (国家資格) or office (管理者資格); an office never stands for a licence."
    since: datetime | None = None
    "First moment for which the text counts; None where it always did."
    until: datetime | None = None
    "Last moment."

    def covers(self, moment: datetime) -> bool:
        """Whether the text counts for something that happened at `moment`."""
        begun = self.since is None or self.since <= moment
        return begun and (self.until is None or moment <= self.until)


@cache
def shipped() -> tuple[Role, ...]:
    """The table that comes with the product."""
    content = package_files("gateway.hpki").joinpath("data", "roles.toml").read_text("utf-8")
    return tuple(Role(**row) for row in tomllib.loads(content)["role"])


def together(table: Iterable[Role], rows: Iterable[Role]) -> tuple[Role, ...]:
    """A table with rows that add to it, or take the place of those of the same text."""
    own = tuple(rows)
    said = {one.text for one in own}
    return (*(one for one in table if one.text not in said), *own)

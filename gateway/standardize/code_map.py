"""A facility's code map: its own codes and the standard ones, as an operator fills them in.

The rows are those of `gateway facility quality NAME --unmapped FILE`, which wrote them so that no
spreadsheet takes a cell for a formula (E-10); here they are read back as they were.
"""

import re

from gateway.model import codebook
from gateway.model.codebook import NONE, SYSTEMS, Code
from gateway.standardize.code_forms import CODE, FORMS, RELATED, WrongRow

HEADINGS = (
    "system", "code", "text", "times", "standard_system", "standard_code", "standard_name",
)  # fmt: skip
_LONGEST = 200
_ADDRESS = re.compile(r"(https?://|urn:)[!-~]+", re.ASCII)
_SYSTEM_WORDS = {
    **{word: word for word in SYSTEMS},
    **{address.casefold(): word for word, address in SYSTEMS.items()},
    "jc10": "jlac10", "i10": "icd10", "ln": "loinc", "mdcdx2": "disease",
}  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠", "'")


def line(cells: dict[str, str]) -> tuple[str, str] | None:
    """Key and line of one row; None for a row that is not filled in: it says nothing yet."""
    cells = {what: _unguarded(cell) for what, cell in cells.items()}
    system, code = cells["system"], cells["code"]
    standard, target = cells["standard_system"], cells["standard_code"]
    if not standard and not target:
        return None
    if not system or not code or len(code) > _LONGEST:
        raise WrongRow("code", "code-form")
    related: list[Code] = []
    if target != NONE:
        if not standard or not target:
            raise WrongRow("standard_code", "half-filled")
        word = _SYSTEM_WORDS.get(standard.casefold(), standard)
        if word not in SYSTEMS and not _ADDRESS.fullmatch(word):
            raise WrongRow("standard_system", "system-unknown")
        form = RELATED.get(word) or FORMS.get(word, CODE)
        if not form.fullmatch(target):
            raise WrongRow("standard_code", "code-form")
        related.append(Code(word, target, cells.get("standard_name", "")))
    key = f"{system}\x1f{code}"
    return key, codebook.line(key, cells.get("name", ""), "", "", related)


def guarded(cell: str) -> str:
    """A cell of an export that no spreadsheet takes for a formula (E-10)."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _unguarded(cell: str) -> str:
    """A cell as it was before `guarded`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell

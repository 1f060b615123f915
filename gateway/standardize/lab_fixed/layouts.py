"""Fixed records of laboratories: 256 bytes, O1 and O2 (order), A1 (result).

Field names and widths as published connectors between clinics' systems and laboratories have them
(re-tabulated 2026-11); each table's widths are summed when it is made. Of other dialects only parts
are published: they are not here.
"""

from collections.abc import Mapping

LENGTH = 256
Layout = Mapping[str, slice]
"Field to its bytes in a record."


def _layout(*fields: tuple[str, int]) -> Layout:
    """Widths in a row as places; fields without a name are blank."""
    places: dict[str, slice] = {}
    at = 0
    for name, width in fields:
        if name:
            places[name] = slice(at, at + width)
        at += width
    if at > LENGTH:
        raise ValueError("a layout is longer than its record")
    return places


ORDER = _layout(
    ("id", 2), ("centre", 6), ("request", 20), ("department", 15), ("ward", 15), ("in_out", 1),
    ("doctor", 10), ("examinee", 15), ("chart", 15), ("name", 20), ("sex", 1), ("age_kind", 1),
    ("age", 3), ("era", 1), ("birth", 6), ("collected", 6), ("time", 4), ("items", 3),
    ("height", 4), ("weight", 4), ("urine", 4), ("urine_unit", 2), ("pregnancy", 2),
    ("dialysis", 1), ("urgent", 1), ("comment", 20), ("", 74),
)  # fmt: skip
"O1 of the common family."

ORDER_DATED = _layout(
    ("id", 2), ("centre", 6), ("request", 20), ("examinee", 10), ("", 5), ("chart", 10), ("", 5),
    ("name", 20), ("sex", 1), ("birth", 8), ("collected", 8), ("comment", 50), ("facility", 6),
    ("", 30), ("bed", 4),
)  # fmt: skip
"O1 of a receipt computer that writes whole dates; its request key is date, number, reserve."

ITEMS = tuple(slice(28 + 25 * n, 28 + 25 * n + 15) for n in range(9))
"O2: nine items, analyte 5, identification 4, material 3, method 3 (and load 10)."

ITEMS_DATED = tuple(slice(28 + 36 * n, 28 + 36 * n + 17) for n in range(5))
"O2 of the same receipt computer: five items, code 17, load 10, class 1, reserve 8."

RESULT = _layout(
    ("id", 2), ("centre", 6), ("chart", 10), ("in_out", 1), ("dialysis", 1), ("", 28),
    ("name", 20), ("status", 1), ("chyle", 3), ("hemolysis", 3), ("bilirubin", 3),
    *((f"{field}{n}", width) for n in range(1, 6) for field, width in
      (("code", 17), ("value", 8), ("flag", 1), ("comment", 3), ("more", 3))),
    ("collected", 10), ("abnormal", 1), *((f"abnormal{n}", 1) for n in range(1, 6)), ("", 2),
)  # fmt: skip
"A1: five results and the day on which their specimen was taken."

RESULTS = 5

"""Records and columns of claim files, by kind of claim (`japan/receipt-uke.md`).

The tables name each column as the standard does. A column between known ones that no source names
is called by its number (`10列`), so that what stands in it is found and not dropped.
"""

from collections.abc import Mapping
from functools import cache

from gateway.standardize import tables
from gateway.standardize.rows import Layouts

MEDICAL = "medical"
DPC = "dpc"
DENTAL = "dental"
PHARMACY = "pharmacy"

HEADERS = frozenset({"IR", "YK"})
WRAPPERS: frozenset[str] = frozenset({"HI", "HR", "JY", "MN"})
"Records around a returned claim (返戻); their columns are not public."

ONLY_DPC = frozenset({"BU", "SB", "KK", "SK", "GA", "HH", "GT", "CD"})
"A receipt with one of these is a DPC claim."

DONOR = frozenset({"TI", "TR", "TS"})
"Where these begin, what follows is about the donor of an organ, who is somebody else."

BILLING_RECORDS = frozenset({"KI", "ST", "GR", "GA", "HH", "GT"})
"Records of points, fees and their reasons: they say nothing of the patient's care."

_BILLING = frozenset(
    {
        "単価", "診療実日数", "処方箋受付回数", "処方箋受付回", "食事療養回数", "食事療養合計金額",
        "食事療養・生活療養回数", "食事療養・生活療養合計金額", "減免区分", "減額割合", "減額金額",
        "給付割合", "任意給付区分", "請求情報", "請求情報1", "請求情報2", "未来院請求",
        "記録条件仕様年月情報", "証明書番号", "職務上の事由", "届出", "病床数",
        "レセプト特記事項", "病棟区分", "診療区分コード", "包括管理料等",
        "レセプト番号", "検索番号", "審査支払機関", "マルチボリューム識別情報",
    }
)  # fmt: skip
_BILLING_WORDS = ("点数", "負担", "調剤料", "薬剤料", "加算料", "給付対象")


@cache
def layouts(kind: str) -> Layouts:
    """Record to the names of its columns after the record's own cell.

    Of a DPC claim the header and the end are those of every claim; its other records are only
    those that a public source describes.
    """
    found: dict[str, dict[int, str]] = {}
    for row in tables.rows("uke_layout"):
        shared = kind == DPC and row["kind"] == MEDICAL and row["record"] in ("IR", "GO")
        if row["kind"] == kind or shared:
            found.setdefault(row["record"], {})[int(row["column"])] = row["item"]
    return {
        record: tuple(columns.get(n, f"{n}列") for n in range(1, max(columns) + 1))
        for record, columns in found.items()
    }


@cache
def names(kind: str) -> Mapping[str, str]:
    """Code to name of one list of codes."""
    return {row["code"]: row["name"] for row in tables.rows("uke_codes") if row["list"] == kind}


@cache
def is_billing(column: str) -> bool:
    """Whether a column is about points, amounts and shares, whatever the record."""
    return column in _BILLING or any(word in column for word in _BILLING_WORDS)

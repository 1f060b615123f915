"""What a column of a CSV is likely to be: by its heading, Japanese or English, and by its cells."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from gateway.model.category import Category
from gateway.model.csv_mapping import PATIENT, WORDS
from gateway.standardize import codes, dates, values

_HEADINGS: Sequence[tuple[str, str]] = (
    # word, pattern on the folded heading; the first that is found counts
    ("patient.kana", "カナ|かな|フリガナ|ふりがな|kana"),
    ("patient.birth", "生年月日|誕生日|birth|^dob$"),
    ("patient.sex", "性別|^sex$|gender"),
    ("patient.postal", "郵便|zip|postal"),
    ("patient.address", "住所|address"),
    ("patient.phone", "電話|^tel|phone"),
    ("patient.id", "患者(id|番号|no|コード)|カルテ|診察券|受診者(id|番号)|patient[_ ]?(id|no)"
                   "|chart|^id$|^pid$"),
    ("patient.name", "患者(氏)?名|氏名|受診者名|patient[_ ]?name"),
    ("usage.code", "用法コード|usage[_ ]?code"),
    ("usage", "用法|usage|^sig$"),
    ("specimen.code", "(材料|検体)コード|specimen[_ ]?code"),
    ("specimen", "材料|検体(?!番号)|specimen"),
    ("reported", "報告日|結果日|report"),
    ("end", "終了日|転帰日|end[_ ]?date"),
    ("recorded", "診断日|recorded"),
    ("time", "時刻|時間|^time$"),
    ("date", "(採取|採血|検査|測定|処方|調剤|開始|発症|登録|実施|受診|受付)日|日付|年月日|date"),
    ("order", "オーダ|依頼(番号|no)|処方(番号|no|箋番号)|伝票|order"),
    ("number", "病名(番号|no)|連番|problem[_ ]?no"),
    ("rp", "^rp|rp番号"),
    ("unit", "単位|unit"),
    ("flag", "判定|フラグ|異常|^h/?l$|flag"),
    ("low", "下限|lower?|^min"),
    ("high", "上限|upper|high|^max"),
    ("range", "基準|範囲|参考値|range|reference"),
    ("comment", "コメント|備考|摘要|comment|note|remark"),
    ("outcome", "転帰|outcome"),
    ("suspected", "疑い|疑義|suspect"),
    ("main", "主病|main|primary"),
    ("reaction", "症状|反応|reaction"),
    ("severity", "程度|重症|severity"),
    ("kind", "(アレルギー)?(区分|種別|種類)|^kind$|^type$"),
    ("status", "状態|ステータス|進捗|status"),
    ("days", "日数|days"),
    ("quantity", "総量|数量|調剤量|quantity"),
    ("dose", "用量|[1一]回量|[1一]日量|dose"),
    ("panel", "セット名?|分類|panel"),
    ("code", "コード|code|jlac|^yj|^hot|icd|管理番号"),
    ("name", "項目名?|検査名|名称|病名|傷病|薬品|薬剤|医薬品|アレルゲン|item|drug|test|disease"
             "|allergen|name"),
    ("value", "結果|測定値|検査値|^値$|value|result"),
)  # fmt: skip
_HEADED = tuple((word, re.compile(pattern)) for word, pattern in _HEADINGS)
_MEASURES: Mapping[str, tuple[str, str]] = {
    # heading of a wide row of vital signs to LOINC code and unit
    "体温": ("8310-5", "Cel"), "脈拍": ("8867-4", "/min"), "心拍数": ("8867-4", "/min"),
    "呼吸数": ("9279-1", "/min"), "最高血圧": ("8480-6", "mm[Hg]"),
    "収縮期血圧": ("8480-6", "mm[Hg]"), "最低血圧": ("8462-4", "mm[Hg]"),
    "拡張期血圧": ("8462-4", "mm[Hg]"), "spo2": ("59408-5", "%"), "身長": ("8302-2", "cm"),
    "体重": ("29463-7", "kg"), "bmi": ("39156-5", "kg/m2"),
}  # fmt: skip
_SEXES = frozenset(
    ["1", "2", "0", "9", "m", "f", "o", "u", "男", "女", "男性", "女性", "male", "female"]
)
_FLAGS = frozenset(["h", "l", "hh", "ll", "n", "a", "*", "↑", "↓", "高", "低"])
_KANA = re.compile("[ァ-ヶー・\\s]+")
_NAME = re.compile("[一-龥々〆ヶァ-ヶーぁ-ん]{1,6}[ \u3000][一-龥々ァ-ヶーぁ-ん]{1,6}")
_SHAPES: Sequence[tuple[str, re.Pattern[str]]] = (
    ("JC10", re.compile(r"[0-9][0-9A-Z]{4}-?[0-9]{4}-?[0-9]{3}-?[0-9]{3}-?[0-9A-Z]{2}")),
    ("YJ", re.compile(r"[0-9]{7}[A-Z][0-9]{4}")),
    ("HOT13", re.compile(r"1[0-9]{12}")),
    ("HOT9", re.compile(r"1[0-9]{8}")),
    ("MDCDX2", re.compile(r"2[0-9]{7}")),
    ("I10", re.compile(r"[A-Z][0-9]{2}(?:\.?[0-9]{1,2})?")),
)


def fold(text: str) -> str:
    """A heading for comparison: compatibility forms, small letters, no blanks."""
    return unicodedata.normalize("NFKC", text).replace(" ", "").casefold()


def by_heading(heading: str) -> str:
    """The word that a heading says, or empty."""
    folded = fold(heading)
    if folded in _MEASURES:
        return "value"
    return next((word for word, pattern in _HEADED if pattern.search(folded)), "")


def measure(heading: str) -> tuple[str, str] | None:
    """LOINC code and unit of a column that is a vital sign or body measure by its heading."""
    return _MEASURES.get(fold(heading))


def is_person(cell: str) -> bool:
    """Whether a cell has the shape of somebody's name, whatever its heading says."""
    return bool(_NAME.fullmatch(cell))


def code_system(cells: Sequence[str]) -> str:
    """The system that codes of this shape are of, or empty."""
    for name, shape in _SHAPES:
        filled = [cell for cell in cells if cell]
        if filled and sum(1 for cell in filled if shape.fullmatch(cell)) > 0.8 * len(filled):
            return name
    return ""


def share(cells: Sequence[str], test: Callable[[str], bool]) -> float:
    """How many of the cells that are not empty pass a test."""
    filled = [cell for cell in cells if cell]
    return sum(map(test, filled)) / len(filled) if filled else 0.0


def is_western(cell: str) -> bool:
    """Whether a cell is a Western date."""
    return dates.by_mapping(cell, era=False)[0] is not None


def is_era(cell: str) -> bool:
    """Whether a cell is a date by era."""
    return not is_western(cell) and dates.by_mapping(cell, era=True)[0] is not None


def by_cells(cells: Sequence[str]) -> str:
    """The word that the shape of the cells suggests, or empty."""
    tests: Sequence[tuple[str, Callable[[str], bool]]] = (
        ("date", lambda cell: is_western(cell) or is_era(cell)),
        ("time", lambda cell: ":" in cell and bool(dates.clock(cell))),
        ("code", lambda cell: any(shape.fullmatch(cell) for _, shape in _SHAPES)),
        ("patient.kana", lambda cell: bool(_KANA.fullmatch(unicodedata.normalize("NFKC", cell)))
            and " " in unicodedata.normalize("NFKC", cell)),
        ("patient.name", lambda cell: bool(_NAME.fullmatch(cell))),
        ("flag", lambda cell: fold(cell) in _FLAGS),
        ("patient.sex", lambda cell: fold(cell) in _SEXES and not cell.isdigit()),
        ("unit", lambda cell: bool(codes.ucum(cell)) and not cell.isalnum()),
        ("value", lambda cell: "." in cell and values.decimal(cell) is not None),
    )  # fmt: skip
    return next((word for word, test in tests if share(cells, test) > 0.8), "")


def agrees(word: str, cells: Sequence[str]) -> bool:
    """Whether the cells do not speak against a word."""
    if word in ("date", "end", "recorded", "reported", "patient.birth"):
        return share(cells, lambda cell: is_western(cell) or is_era(cell)) > 0.8
    if word in ("low", "high", "dose", "days", "quantity"):
        return share(cells, lambda cell: values.decimal(cell) is not None) > 0.8
    if word == "patient.sex":
        return share(cells, lambda cell: fold(cell) in _SEXES) > 0.8
    return any(cells)


def category(words: Sequence[str], headings: Sequence[str], systems: Sequence[str]) -> Category:
    """What kind of rows these are likely to be."""
    text = " ".join(map(fold, headings))
    drugs = {"YJ", "HOT9", "HOT13"} & set(systems) or re.search("薬|処方|用法|drug|調剤", text)
    if re.search("アレル|allerg", text):
        return Category.ALLERGY
    if drugs:
        dispensed = re.search("調剤|交付|dispens", text)
        return Category.DISPENSING if dispensed else Category.PRESCRIPTION
    if {"I10", "MDCDX2"} & set(systems) or re.search("病名|転帰|disease", text):
        return Category.DIAGNOSIS
    if sum(1 for heading in headings if measure(heading)) >= 2 and "code" not in words:
        return Category.BIOMETRIC
    return Category.LAB_RESULT


def allowed(word: str, kind: Category) -> bool:
    """Whether a category has a word."""
    return word in WORDS[kind] or word in PATIENT

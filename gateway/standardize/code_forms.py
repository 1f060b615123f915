"""What codes of each kind look like, and what can be wrong with a row of a master or a map."""

import re

CODE = re.compile(r"[!-~]{1,64}", re.ASCII)
"Any code."
FORMS = {
    kind: re.compile(form, re.ASCII)
    for kind, form in (
        ("hot", r"[0-9]{13}"), ("receipt-drug", r"6[0-9]{8}"),
        ("receipt-procedure", r"1[0-9]{8}"), ("receipt-dental", r"3[0-9]{8}"),
        ("receipt-material", r"7[0-9]{8}"), ("receipt-disease", r"[0-9]{7}"),
        ("receipt-modifier", r"[0-9]{4}"), ("disease", r"[0-9]{8}"),
        ("jlac10", r"[0-9][0-9A-Z]{16}"), ("jlac11", r"[0-9A-Z]{17}"),
        ("yj", r"[0-9A-Z]{12}"), ("general", r"[0-9A-Z]{12}"),
        ("icd10", r"[A-Z][0-9][0-9A-Z.]{0,6}"), ("loinc", r"[0-9][0-9A-Z]{11,16}"),
        ("allergen", r"[0-9A-Z]{3,12}"),
    )
}  # fmt: skip
RELATED = {"loinc": re.compile(r"[0-9]{1,7}-[0-9]", re.ASCII)}
"Of other codes than a master's own."


class WrongRow(Exception):
    """One row that cannot be taken; said with the others of its file."""

    def __init__(self, what: str, code: str) -> None:
        super().__init__(what, code)
        self.what = what
        "Column by what it is."
        self.code = code
        "Key of `PROBLEMS`."


PROBLEMS = {
    "row-shape": ("fewer columns than the layout needs: name the columns with --columns",
                  "列が足りません。--columns で列を指定してください"),
    "code-form": ("not a code of this kind: check --kind and --columns",
                  "この種類のコードではありません。--kind と --columns を確認してください"),
    "name-missing": ("no name in this row: check --columns", "名称がありません。--columns を確認"),
    "date-form": ("not a day as YYYYMMDD: check --columns", "日付(YYYYMMDD)ではありません"),
    "code-twice": ("the code came before with other content", "同じコードが異なる内容で重複"),
    "control": ("a control character", "制御文字があります"),
    "too-long": ("a name longer than 500 characters", "名称が長すぎます(500文字まで)"),
    "system-unknown": ("not a word or address of a code system", "コード体系の名前ではありません"),
    "half-filled": ("standard system and standard code go together",
                    "標準コードとその体系は両方記入してください"),
}  # fmt: skip
"Short word to what it says in two languages."

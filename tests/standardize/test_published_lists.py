"""Units, qualitative words and split results as the published lists of laboratories have them."""

import re

import pytest

from gateway.standardize import codes, split_values, values
from tests.shared import needs_shared, shared


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ﾍﾞｾｽﾀﾞU/ml", "[beth'U]/mL"),
        ("mｇ/ｄＬ", "mg/dL"),
        ("×10＾3/μL", "10*3/uL"),
        (".10*4/uL", "10*4/uL"),
        ("百万/μｌ", "10*6/uL"),
        ("mg/g・cre", "mg/g{creat}"),
        ("nﾓﾙ/L", "nmol/L"),
        ("CFU/mL", "[CFU]/mL"),
        ("x10^2", ""),  # cut off: of what is not said
        ("KU", ""),
        ("μA/mL", ""),
    ],
)
def test_units_of_the_published_list(text, code):
    assert codes.ucum(text) == code


@pytest.mark.parametrize(
    ("code", "text", "parts"),
    [
        ("1A990000000192053", "3+(300)", [("53", "3+"), ("71", "300")]),
        ("1A990000000192053", "３＋（３００）", [("53", "3+"), ("71", "300")]),
        ("1A990000000192071", "100 (2+)", [("71", "100"), ("53", "2+")]),
        ("1B040130101519501", ">1000(+)", [("01", ">1000"), ("11", "+")]),
        ("4F080000000119011", "(+)1000", [("11", "+"), ("01", "1000")]),
        ("5A100123402302301", "0.13(0)", [("01", "0.13"), ("12", "0")]),
        ("5A100250002302301", "0.13(0)", []),  # taken out by the table's note
        ("1A990000000192053", "3+", []),
        ("1A990000000192053", "300(3+)", []),  # not in the order of the table
        ("1A990000000192053", "3+(多い)", []),
        ("3A010000002327101", "3+(300)", []),
        ("", "3+(300)", []),
    ],
)
def test_two_results_in_one_text(code, text, parts):
    found = split_values.split(code, text)
    assert [(one[-2:], said) for one, said in found] == parts
    assert all(one[:9] == code[:9] for one, _ in found)


@pytest.mark.parametrize(
    ("text", "element"),
    [
        ("検出せず", "valueCodeableConcept"),
        ("フケンシュツ", "valueCodeableConcept"),
        ("ﾖｳｾｲ(+)", "valueCodeableConcept"),
        ("0.3ﾐﾏﾝ", "valueQuantity"),
        ("5イカ", "valueQuantity"),
        ("40倍", "valueQuantity"),  # a titre
        ("1:40", "valueString"),
        ("8.5↑", "valueString"),  # a comparator to some, a flag to others
        ("U10", "valueQuantity"),
        ("L 0.5", "valueQuantity"),
        ("10～", "valueQuantity"),
        ("10〈", "valueQuantity"),
        ("判定 （－）", "valueCodeableConcept"),
    ],
)
def test_words_and_what_stays_text(text, element):
    assert element in values.text_value(text, {})


@needs_shared
def test_what_is_called_qualitative_agrees_with_the_published_patterns():
    meanings = {"^^-": "NEG", "^^+": "POS", "^^+-": "IND"}
    path = shared("japan", "tables", "lab-qualitative-patterns.tsv")
    patterns = [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:]]
    for text in ("-", "(-)", "－", "+", "(+)", "陰性", "陽性", "±", "+-", "検出", "検出せず"):
        kinds = {meanings[kind] for kind, regex in patterns
                 if kind in meanings and re.match(regex, text)}  # fmt: skip
        assert kinds == {values.qualitative(text)}


@needs_shared
def test_comparators_agree_with_the_published_patterns():
    """All but arrows, which are flags to other senders."""
    path = shared("japan", "tables", "lab-qualitative-patterns.tsv")
    patterns = [line.split("\t") for line in path.read_text("utf-8").splitlines()[1:]]
    signs = [*">＞〉U<＜〈L≧≦", ">=", "=>", "＞＝", "＝＞", "<=", "=<", "＜＝", "＝＜"]
    words = ["超過", "以上", "以下", "未満", "ミマン", "イカ", "～"]
    texts = [f"{sign}{blank}10.5" for sign in signs for blank in ("", " ")]
    texts += [f"10.5{blank}{sign}" for sign in (*signs, *words) for blank in ("", " ")]
    seen = 0
    for text in texts:
        kinds = {kind.split("^")[0] for kind, regex in patterns
                 if kind[0] in "<>" and re.match(regex, text)}  # fmt: skip
        if kinds:
            seen += 1
            assert {values.comparison(text)[0]} == kinds, text
    assert seen > 30

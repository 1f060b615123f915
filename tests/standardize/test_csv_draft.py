"""Drafts of mappings: encodings, delimiters, headings, shapes, masks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Refusal
from gateway.model import csv_mapping
from gateway.standardize.csv_mapped import draft as csv_draft
from gateway.standardize.csv_mapped import guess as csv_guess
from tests.standardize.conftest import FILES, MAPPINGS
from tests.standardize.test_fuzz import BYTES, CALM

BY_NAME = {one.name: one for one in MAPPINGS}
HEADED = [
    name for name in FILES
    if name.startswith("csv/") and BY_NAME[name[4:].rpartition(".")[0]].header
]  # fmt: skip


@pytest.mark.parametrize("name", HEADED)
def test_a_draft_of_a_sample_is_near_its_mapping(name):
    mapping = BY_NAME[name[4:].rpartition(".")[0]]
    draft = csv_draft.propose(FILES[name].read_bytes())
    assert (draft.encoding, draft.delimiter) == (mapping.encoding, mapping.separator)
    assert draft.header
    assert draft.category is mapping.row.category
    wanted = {one.source: one.to for one in mapping.columns}
    found = {one.source: one.to for one in draft.columns}
    same = [source for source, to in wanted.items() if found.get(source) == to]
    assert len(same) >= 0.8 * len(wanted), {s: (wanted[s], found.get(s)) for s in wanted}
    text = csv_draft.as_yaml(draft, "x")
    assert csv_draft.problem(text) == ""
    assert csv_mapping.load(text).encoding == mapping.encoding


def test_without_a_header_columns_are_numbers():
    draft = csv_draft.propose(FILES["csv/lab-d-results.tsv"].read_bytes())
    assert not draft.header
    assert [one.source for one in draft.columns] == [str(n) for n in range(1, 13)]
    assert csv_draft.problem(csv_draft.as_yaml(draft, "x"))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("csv/")])
def test_nothing_that_tells_who_somebody_is_is_shown(name):
    text = csv_draft.as_yaml(csv_draft.propose(FILES[name].read_bytes()), "x")
    for word in ("架空", "花子", "ハナコ", "見本 ", "太郎", "ﾊﾅｺ", "00000123", "0012345", " 9001",
                 "S37", "昭和", "黄疸"):  # fmt: skip
        assert word not in text


@pytest.mark.parametrize(
    ("heading", "word"),
    [
        ("患者番号", "patient.id"), ("カルテNo", "patient.id"), ("ＩＤ", "patient.id"),
        ("Patient ID", "patient.id"), ("氏名", "patient.name"), ("ﾌﾘｶﾞﾅ", "patient.kana"),
        ("検査項目名", "name"), ("薬品コード", "code"), ("基準値下限", "low"), ("採血日", "date"),
        ("Result", "value"), ("材料", "specimen"), ("検体コード", "specimen.code"), ("謎", ""),
    ],
)  # fmt: skip
def test_headings(heading, word):
    assert csv_guess.by_heading(heading) == word


@pytest.mark.parametrize(
    ("cells", "system"),
    [
        (["3A010000002327101", "3B035-0000-023-272-01"], "JC10"),
        (["1149019F1560"], "YJ"),
        (["110626901"], "HOT9"),
        (["1106269010101"], "HOT13"),
        (["20054174"], "MDCDX2"),
        (["I10", "K29.7", "K297"], "I10"),
        (["x", "3A010000002327101"], ""),
        ([""], ""),
    ],
)
def test_code_systems_by_shape(cells, system):
    assert csv_guess.code_system(cells) == system


def test_a_cell_like_a_name_is_masked_whatever_its_heading_says():
    names = ["総蛋白", "AST", "山田 太郎", "山田 花子", "ALT"]
    rows = ["項目名,結果,ID,日付", *[f"{name},5.0,{n}7,2026-11-04" for n, name in enumerate(names)]]
    text = csv_draft.as_yaml(csv_draft.propose("\n".join(rows).encode()), "x")
    assert "山田" not in text
    assert "総蛋白" in text


def test_a_mask_keeps_the_shape():
    assert csv_draft.mask("山田 ﾊﾅｺ Abc-123") == "漢漢 アアア AAA-999"


@CALM
@given(st.lists(BYTES, max_size=30).map(b"".join))
def test_any_bytes_are_a_draft_or_a_refusal(content):
    for head in (content, b"id,date\n" + content, b"\xff\xfe" + content):
        try:
            draft = csv_draft.propose(head)
        except Refusal:
            continue
        csv_draft.problem(csv_draft.as_yaml(draft, "x"))

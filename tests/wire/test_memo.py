"""What is remembered is bounded: by how many texts, and by how long one is."""

import gc
import weakref

import pytest

from gateway.wire import memo


class _Made:
    def __init__(self, texts: tuple[str, ...]) -> None:
        self.texts = texts


def test_a_short_text_is_asked_once_and_a_long_one_is_not_kept() -> None:
    asked: list[str] = []

    @memo.by_text(4)
    def length(text: str) -> int:
        asked.append(text[:1])
        return len(text)

    long = "x" * (memo.LONGEST + 1)
    assert [length("a"), length("a"), length(long), length(long)] == [1, 1, len(long), len(long)]
    assert asked == ["a", "x", "x"]


def test_several_texts_are_short_together() -> None:
    asked: list[tuple[str, ...]] = []

    @memo.by_texts(4)
    def joined(*texts: str) -> str:
        asked.append(texts)
        return "".join(texts)

    half = "x" * (memo.LONGEST // 2)
    assert joined("a", "b") == joined("a", "b") == "ab"
    assert joined(half, half) == joined(half, half)
    assert joined(half, half, "x") == joined(half, half, "x")
    assert asked == [("a", "b"), (half, half), (half, half, "x"), (half, half, "x")]
    assert joined("ab", "") != joined("b", "a")


def test_many_distinct_texts_push_one_another_out() -> None:
    asked: list[str] = []

    @memo.by_text(4)
    def same(text: str) -> str:
        asked.append(text)
        return text

    for number in range(100):
        assert same(str(number)) == str(number)
    assert [same(str(number)) for number in (99, 0)] == ["99", "0"]
    assert asked == [*(str(number) for number in range(100)), "0"]


def test_what_is_asked_for_meanwhile_stays_and_what_is_none_is_remembered() -> None:
    asked: list[str] = []

    @memo.by_text(8)
    def nothing(text: str) -> None:
        asked.append(text)

    for number in range(100):
        nothing("again")
        nothing(str(number))
    assert asked == ["again", *(str(number) for number in range(100))]


def test_no_more_is_kept_than_was_said() -> None:
    kept: weakref.WeakSet[_Made] = weakref.WeakSet()

    @memo.by_texts(10)
    def made(*texts: str) -> _Made:
        one = _Made(texts)
        kept.add(one)
        return one

    for number in range(1000):
        assert made(str(number), "x").texts == (str(number), "x")
    gc.collect()
    assert 5 <= len(kept) <= 10


def test_one_that_fails_is_asked_again() -> None:
    asked: list[str] = []

    @memo.by_text(4)
    def number(text: str) -> int:
        asked.append(text)
        return int(text)

    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            number("x")
    assert [number("1"), number("1")] == [1, 1]
    assert asked == ["x", "x", "1"]

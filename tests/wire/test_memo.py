"""What is remembered is bounded: by how many texts, and by how long one is."""

from gateway.wire import memo


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

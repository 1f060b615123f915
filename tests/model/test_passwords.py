"""`model.passwords`: what a password must be like, and how it is kept (CRD-02, CRD-03, CRD-10)."""

import base64
import hashlib

import pytest

from gateway.errors import Invalid
from gateway.model import chance, passwords
from gateway.model.rules import IdRules, PasswordRules

RULES = PasswordRules()


def refusal(password: str, least: int = 8, rules: PasswordRules = RULES) -> str:
    """The rule that refuses a password of `yamamoto01`; empty where it may be chosen."""
    try:
        passwords.require_strong(password, rules, least=least, name="yamamoto01")
    except Invalid as refused:
        return refused.rule
    return ""


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("abcd123!", ""), ("abcd1234", "CRD-03"), ("abc123!", "CRD-03"), ("1234567!", "CRD-03"),
        ("abcdefg!", "CRD-03"), ("abcd 123!", "CRD-03"), ("abcd123a\uff01", "CRD-03"),
        ("パスワード12a!", "CRD-03"), ("a1!" * 43, "CRD-03"), ("", "CRD-03"),
        ("yamamoto01!", "CRD-10"), ("x10otomamay!", "CRD-10"), ("Yamamoto01!x", "CRD-10"),
        ("password1!", "CRD-10"), ("P@ssw0rd!", "CRD-10"), ("1byouin!2", "CRD-10"),
        ("aaaa111!", "CRD-10"), ("qwertyui1!", "CRD-10"), ("lkjhgfds1!", "CRD-10"),
        ("abcdefgh1!", "CRD-10"), ("t7#Gh-wq2Lm", ""),
    ],
)  # fmt: skip
def test_which_password_may_be_chosen(password: str, rule: str) -> None:
    assert refusal(password) == rule


def test_the_operator_may_ask_for_more_and_not_for_less() -> None:
    assert refusal("t7#Gh-wq2Lm", least=13) == "CRD-03"
    assert refusal("t7#Gh-wq2LmZ!", least=13) == ""
    assert refusal("abc12!x", least=1) == "CRD-03"


def test_a_network_may_let_guessable_ones_be() -> None:
    assert refusal("password1!", rules=PasswordRules(guessable="accept")) == ""
    assert refusal("t7Gh2wq2Lm", rules=PasswordRules(classes=frozenset({"letter"}))) == ""


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("doctor0001", True),
        ("doctor001", False),
        ("doctor-0001", False),
        ("\uff44octor0001", False),
    ],
)
def test_which_id_logs_in_by_password(name: str, good: bool) -> None:
    rules = IdRules(min_length=10)
    if good:
        passwords.require_id(name, rules)
        return
    with pytest.raises(Invalid) as refused:
        passwords.require_id(name, rules)
    assert refused.value.rule == "CRD-02"


def test_what_is_kept_is_salted_scrypt() -> None:
    kept = passwords.digest("abcd123!", b"0123456789abcdef", 8)
    assert kept.startswith("scrypt$8$8$3$MDEyMzQ1Njc4OWFiY2RlZg==$")
    assert passwords.digest("abcd123!", b"another salt....", 8) != kept
    assert passwords.COST >= 15  # OWASP: N = 2^15, r = 8, p = 3 at least
    assert passwords.matches("abcd123!", kept)
    for wrong in ("abcd123", "abcd123!!", "", "ABCD123!", "a" * 200, "\udcff"):
        assert not passwords.matches(wrong, kept)


def test_an_older_cost_still_counts() -> None:
    key = hashlib.scrypt(b"x", salt=b"s", n=1 << 10, r=8, p=1, dklen=32)
    made = base64.b64encode(key).decode()
    assert passwords.matches("x", f"scrypt$10$8$1$cw==${made}")


def test_a_temporary_password_may_be_chosen_itself() -> None:
    drawn = {chance.new_password() for _ in range(50)}
    assert len(drawn) == 50
    assert {refusal(one, least=13) for one in drawn} == {""}

"""Pure rules that compare what sources say about persons (名寄せ).

Matching may fold, storage never (`security.md` F-08); nothing here links anybody: demographics
alone never open documents of other facilities (G-08).
"""

import unicodedata

from gateway.model.person import Demographics, Gender, PersonName

FOLDING = "nfkc-1"
"Version of the folding, kept so that a later table can be told apart."
_HIRAGANA = {code: code + 0x60 for code in range(0x3041, 0x3097)}


def name_key(name: PersonName) -> str:
    """One name as it is compared: NFKC, without spaces, hiragana as katakana, without case."""
    text = unicodedata.normalize("NFKC", name.full).translate(_HIRAGANA)
    return "".join(text.split()).casefold()


def name_keys(demographics: Demographics) -> tuple[str, ...]:
    """The distinct keys of every name, in their order."""
    return tuple(dict.fromkeys(key for name in demographics.names if (key := name_key(name))))


def is_overlay(before: Demographics, after: Demographics) -> bool:
    """Whether a revise looks like another person written over the first (FN-410).

    Family name, birth date and gender all differ; where one side says nothing, nothing differs.
    """
    if not (before.names and after.names and before.birth and after.birth):
        return False
    if before.gender is None or after.gender is None:
        return False
    families = {name.family for name in before.names} & {name.family for name in after.names}
    return not families and before.birth != after.birth and before.gender is not after.gender


def contradicts(stated: Demographics, found: Demographics) -> bool:
    """Whether birth, sex or every name differ: data of such a file are held, not written.

    Where one side says nothing, nothing differs (`japan/identity-and-matching.md` section 4).
    """
    if stated.birth and found.birth and stated.birth != found.birth:
        return True
    sexes = {stated.gender, found.gender}
    if sexes == {Gender.MALE, Gender.FEMALE}:
        return True
    ours, theirs = set(name_keys(stated)), set(name_keys(found))
    return bool(ours and theirs) and ours.isdisjoint(theirs)

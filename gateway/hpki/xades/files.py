"""Files beside a signature: listed in a ds:Manifest, or signed each by a reference of its own.

Core validation says nothing about the files of a list (XMLDSig 5.1, 3.2.1): each of them must be
handed in and match. A file that was handed in and is not signed is said to be so.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.hpki.opened import failed, passed, unknown
from gateway.hpki.policy import Algorithms
from gateway.hpki.xades import refusals
from gateway.hpki.xades.core import matches
from gateway.hpki.xades.references import (
    MOST_REFERENCES,
    Reference,
    Role,
    listing,
    read_listed,
)
from gateway.model.signature import Check, SignedFile

SECTION = "XMLDSig 5.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The files of all lists of one signature, with what was found of each."""

    references: tuple[Reference, ...]
    octets: tuple[bytes | None, ...]


def read_lists(
    references: tuple[Reference, ...], files: Mapping[str, bytes], allowed: Algorithms
) -> Listed:
    """The files that the signed lists name, each once. Raises `Unfit`."""
    found: list[Reference] = []
    for reference in references:
        if reference.role is Role.LIST and reference.target is not None:
            one = listing(reference.target)
            found.extend(() if one is None else read_listed(one, allowed))
            if len(found) > MOST_REFERENCES:
                raise refusals.crowd()
    if len({one.name for one in found}) != len(found):
        raise refusals.misplaced()
    return Listed(references=tuple(found), octets=tuple(one.octets(None, files) for one in found))


def judge(listed: Listed) -> tuple[Check, ...]:
    """Whether every listed file is there and unaltered; nothing where there is no list."""
    pairs = list(zip(listed.references, listed.octets, strict=True))
    if not pairs:
        return ()
    if any(octets is not None and not matches(one, octets) for one, octets in pairs):
        return (
            failed(
                "manifest",
                "a file of the signed list was altered",
                "署名された一覧にあるファイルが改変されています",
                SECTION,
            ),
        )
    if any(octets is None for octets in listed.octets):
        return (
            unknown(
                "manifest",
                "a file of the signed list was not handed in",
                "署名された一覧にあるファイルが渡されていません",
                SECTION,
            ),
        )
    return (
        passed(
            "manifest",
            "every file of the signed list is there and unaltered",
            "署名された一覧のファイルはすべて揃っており、改変されていません",
            SECTION,
        ),
    )


def judge_extra(names: Iterable[str], handed: Mapping[str, bytes]) -> tuple[Check, ...]:
    """Whether every file that was handed in is signed at all."""
    if set(handed) <= set(names):
        return ()
    return (
        failed(
            "content",
            "a file that was handed in is not signed here",
            "渡されたファイルの中に、この署名の対象ではないものがあります",
            "XMLDSig 4.4.3",
        ),
    )


def signed(found: Iterable[tuple[Reference, bytes | None]], *roles: Role) -> tuple[SignedFile, ...]:
    """What is covered by its name, files unless said, with the digest of what is covered of it."""
    return tuple(
        SignedFile(one.name, hashlib.sha256(octets).hexdigest())
        for one, octets in found
        if one.role in (roles or (Role.FILE,)) and octets is not None
    )

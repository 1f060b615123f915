"""An own judge of JP Core 1.2.0's required elements, from the published table of them."""

import csv
import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.shared import shared

_CHOICES = ("effective", "value", "medication", "onset", "abatement", "allowed")


@cache
def _rules() -> dict[str, list[tuple[str, int, Any]]]:
    """Profile id to (element without its resource type, minimum, fixed value)."""
    rules: dict[str, list[tuple[str, int, Any]]] = {}
    path = shared("japan", "jp-core", "required-elements.tsv")
    with path.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            if row["set"] != "jp-core-1.2.0" or "." not in row["element"]:
                continue
            kind, _, value = row["fixed_or_pattern"].partition("=")
            fixed = json.loads(value) if kind.startswith("fixed") else None
            element = row["element"].split(".", 1)[1]
            least = int(row["cardinality"].split("..")[0])
            rules.setdefault(row["profile"], []).append((element, least, fixed))
    return rules


def problems(resource: dict[str, Any]) -> Iterator[str]:
    """Required elements of the resource's profile that it lacks, and fixed values it breaks."""
    for canonical in resource["meta"]["profile"]:
        profile = canonical.rpartition("/")[2].replace("_", "-").lower()
        rules = _rules().get(profile, [])
        for element, least, fixed in rules:
            yield from _judge(resource, element.split("."), least, fixed, rules, element)


def _judge(
    node: Any, path: list[str], least: int, fixed: Any, rules: list[Any], whole: str
) -> Iterator[str]:
    found = list(_children(node, path[0], rules, whole, len(path)))
    if len(path) == 1:
        if len(found) < least:
            yield f"{whole}: {len(found)} of {least}"
        for one in found:
            if fixed is not None and one != fixed and not _is_absent(one):
                yield f"{whole}: not the fixed value"
        return
    for child in found:
        if isinstance(child, dict) and not _is_absent(child):
            yield from _judge(child, path[1:], least, fixed, rules, whole)


def _children(node: Any, step: str, rules: list[Any], whole: str, rest: int) -> Iterator[Any]:
    """The values of one step; a slice has those that fit its fixed elements."""
    name, _, sliced = step.partition(":")
    if name.endswith("[x]"):
        base = name[:-3]
        names = [key for key in node if key.removeprefix("_").startswith(base)]
    else:
        names = [key for key in (name, f"_{name}") if key in node]
    values = [one for key in names for one in _as_list(node[key])]
    if sliced and not name.endswith("[x]"):
        position = len(whole.split(".")) - rest
        prefix = ".".join(whole.split(".")[: position + 1])
        fixed = [
            (element.removeprefix(f"{prefix}.").split("."), value)
            for element, _, value in rules
            if value is not None and element.startswith(f"{prefix}.")
        ]
        # The discriminator is the system where there is one, else all that is fixed.
        systems = [one for one in fixed if one[0][-1] == "system"] or fixed
        values = [one for one in values if all(value in _at(one, path) for path, value in systems)]
    yield from values


def _at(node: Any, path: list[str]) -> list[Any]:
    if not path:
        return [node]
    found = []
    for one in _as_list(node.get(path[0], []) if isinstance(node, dict) else []):
        found.extend(_at(one, path[1:]))
    return found


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_absent(value: Any) -> bool:
    return isinstance(value, dict) and any(
        one.get("url", "").endswith("data-absent-reason") for one in value.get("extension", ())
    )

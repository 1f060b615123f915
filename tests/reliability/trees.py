"""Good JSON and XML made bad by their trees, to reach what comes behind the parser."""

import base64
import binascii
import copy
import json
import random
from collections.abc import Sequence
from typing import Any

from lxml import etree

from tests.reliability.mutations import CELLS, mutated

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**17, 1.5, "", " ", "x" * 3000, [], {}, [None], [[]], [{}],
    {"": ""}, {"reference": "#"}, {"reference": "#1"}, {"reference": "urn:uuid:"},
    {"coding": [{}]}, {"extension": [{"url": "x"}]}, {"resourceType": "Patient"},
    {"resourceType": "Bundle", "type": "document", "entry": [{}]}, {"div": "<div>"},
    "2026-02-30", "2026", "24:00:00", "2026-11-20T25:00:00+09:00", "http://x", "../../x",
    "urn:oid:1.2.", "=1+1", "‮", "\x00",
)  # fmt: skip
"What stands in a tree and should not, or only just."
_TEXTS = ("", " ", "x" * 3000, "20260230", "2026-02-30", "=1+1", "‮", "-1", "1e999", "../x")


def changed(rng: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    """One to four changes of the tree of a JSON or XML file; of anything else, of its bytes."""
    head = content.lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
    if head == b"{":
        return _json(rng, content, seeds)
    if head == b"<":
        return _xml(rng, content, seeds)
    return mutated(rng, content, seeds)


def _json(rng: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    lines = content.splitlines(keepends=True)
    if len(lines) > 1 and all(line[:1] == b"{" for line in lines):  # NDJSON: one of its objects
        place = rng.randrange(len(lines))
        lines[place] = _json(rng, lines[place], seeds) + b"\n"
        return b"".join(lines)
    tree = json.loads(content)
    others = [one for one in seeds if one.lstrip()[:1] == b"{" and b"\n{" not in one]
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        parent, key = rng.choice(list(_places(tree)))
        match rng.randrange(7):
            case 0:
                del parent[key]
            case 1:
                parent[key] = copy.deepcopy(rng.choice(_VALUES))
            case 2:
                parent[key] = [copy.deepcopy(parent[key])] * rng.randrange(1, 4)
            case 3 if isinstance(parent, list):
                parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(parent[key]))
            case 3:
                parent[rng.choice((f"_{key}", key.lower(), "id", "extension"))] = parent[key]
            case 4:  # a node of elsewhere, here
                other, name = rng.choice(list(_places(tree)))
                parent[key] = copy.deepcopy(other[name])
            case 5 if others:
                other, name = rng.choice(list(_places(json.loads(rng.choice(others)))))
                parent[key] = other[name]
            case _ if isinstance(parent[key], str):
                parent[key] = _text(rng, parent[key])
            case _:
                parent[key] = str(parent[key])
        if not tree:
            break
    return json.dumps(tree, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


def _places(tree: Any) -> Any:
    """Every node below the root, as what holds it and its key or index."""
    held = [tree]
    while held:
        one = held.pop()
        for key in one if isinstance(one, dict) else range(len(one)):
            yield one, key
            if isinstance(one[key], dict | list):
                held.append(one[key])


def _text(rng: random.Random, text: str) -> str:
    place = rng.randrange(len(text) + 1)
    put = rng.choice((*_TEXTS, rng.choice(CELLS).decode("latin-1")))
    return rng.choice((put, text[:place], text[place:], text[:place] + put + text[place:]))


def _xml(rng: random.Random, content: bytes, seeds: Sequence[bytes]) -> bytes:
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    root = etree.fromstring(content, parser)
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        nodes = [one for one in root.iter() if isinstance(one.tag, str)]
        node = rng.choice(nodes)
        parent = node.getparent()
        match rng.randrange(8):
            case 0 if parent is not None:
                parent.remove(node)
            case 1 if parent is not None:
                parent.insert(rng.randrange(len(parent) + 1), copy.deepcopy(node))
            case 2 if parent is not None:
                parent.replace(node, copy.deepcopy(rng.choice(nodes)))
            case 3 if node.attrib:
                name = rng.choice(sorted(node.attrib))
                node.set(name, rng.choice((*_TEXTS, rng.choice(nodes).get(name, ""))))
            case 4 if node.attrib:
                del node.attrib[rng.choice(sorted(node.attrib))]
            case 5:
                node.text = rng.choice(_TEXTS)
            case 6:
                node.tag = rng.choice(nodes).tag
            case _:
                node.text = _inside(rng, node.text or "", seeds)
    return etree.tostring(root, encoding=rng.choice(("utf-8", "utf-8", "utf-16")))


def _inside(rng: random.Random, text: str, seeds: Sequence[bytes]) -> str:
    """Text changed where it stands, or inside of its base64: a CSV, a PDF, a certificate."""
    packed = "".join(text.split())
    if len(packed) > 16 and packed.isascii():
        try:
            inner = base64.b64decode(packed, validate=True)
        except binascii.Error:
            inner = b""
        if inner:
            return base64.b64encode(mutated(rng, inner, seeds)).decode("ascii")
    made = _text(rng, text)
    return "".join(c for c in made if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff"))

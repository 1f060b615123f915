"""The published schemas as judges of requests and answers, where the operator has them.

`security.md` 2.1: our own codecs judge always, the XSDs where `[ihe] schemas` names their folder.
"""

import threading
from collections.abc import Iterable
from pathlib import Path

from lxml import etree

from gateway.errors import Malformed
from gateway.wire import xml


class Schemas:
    """A folder of XSDs: each compiled when first asked for, kept, and used under its lock.

    A compiled schema keeps the errors of its last validation, so that two threads may not use one
    at once.
    """

    __slots__ = ("_compiled", "_compiling", "_folder")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._compiled: dict[str, tuple[etree.XMLSchema, threading.Lock]] = {}
        self._compiling = threading.Lock()

    def load(self, names: Iterable[str]) -> None:
        """Compile these now, so that no request waits for it; a missing one is a defect."""
        for name in names:
            self._get(name)

    def check(self, element: etree._Element, schema: str) -> None:
        """`Malformed`, with the place, if `element` does not fit; `schema` is relative."""
        compiled, lock = self._get(schema)
        with lock:
            if compiled.validate(element):
                return
            path = _first_path(compiled)
        at = _place(element, path)
        raise Malformed(
            "the message does not fit its schema", "電文がスキーマに合いません", at=at, rule="G1"
        )

    def _get(self, name: str) -> tuple[etree.XMLSchema, threading.Lock]:
        """The compiled schema and its lock."""
        found = self._compiled.get(name)
        if found is not None:
            return found
        with self._compiling:
            found = self._compiled.get(name)
            if found is None:
                parser = etree.XMLParser(no_network=True, resolve_entities=False)
                document = etree.parse(str(self._folder / name), parser)
                found = (etree.XMLSchema(document), threading.Lock())
                self._compiled[name] = found
        return found


def _first_path(compiled: etree.XMLSchema) -> str:
    """The path of the first error."""
    for error in compiled.error_log:
        return str(error.path or "")
    return ""


def _place(element: etree._Element, path: str) -> str:
    """The error's place, which comes as `/*/*[3]` or `/a/p:b[2]`; no more is told (G11)."""
    node = element
    for step in path.split("/")[2:]:
        if step.startswith("@"):
            break
        name, _, number = step.rstrip("]").partition("[")
        local = name.rpartition(":")[2]
        found = [
            child for child in xml.children(node) if local in ("*", etree.QName(child).localname)
        ]
        position = int(number) if number.isdigit() else 1
        if position > len(found):
            break
        node = found[position - 1]
    return xml.location(node)

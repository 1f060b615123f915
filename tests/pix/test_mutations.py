"""Every element and attribute of every sample, spoilt one at a time: a defined answer (G6)."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from gateway.errors import Refusal
from gateway.pix import TRANSACTIONS, iti55
from gateway.transaction import Transaction
from gateway.wire import soap, xml
from gateway.wire.soap import Fault
from tests.pix.messages import SAMPLES, STAMP

ODD = ("", " ", "x", "-1", "2.999.30.1", "\u202e", "山", "<&\"'>", "9" * 300)


def spoilt(body: etree._Element) -> Iterator[etree._Element]:
    """The message with one thing removed, doubled, moved, emptied or odd."""
    count = len(list(body.iter(etree.Element)))
    for number in range(count):
        for how in ("remove", "double", "empty", "text", "comment"):
            changed = copy.deepcopy(body)
            element = list(changed.iter(etree.Element))[number]
            parent = element.getparent()
            if parent is None and how in ("remove", "double"):
                continue
            match how:
                case "remove":
                    parent.remove(element)
                case "double":
                    element.addnext(copy.deepcopy(element))
                case "empty":
                    element.clear()
                case "text":
                    element.text = "山\t<x>"
                case _:
                    element.insert(0, etree.Comment("x"))
            yield changed
        for name in list(body.iter(etree.Element))[number].attrib:
            for value in ODD:
                changed = copy.deepcopy(body)
                list(changed.iter(etree.Element))[number].set(name, value)
                yield changed


def row_of(message: soap.Message) -> Transaction:
    return next(row for row in TRANSACTIONS if message.action in row.actions)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.xml")), ids=lambda path: path.stem)
def test_every_spoilt_message_has_a_defined_answer(path: Path) -> None:
    message = soap.read(path.read_bytes())
    row = row_of(message)
    empty: object = iti55.Matches() if row is iti55.ITI_55 else ()
    answered = refused = 0
    for body in spoilt(message.payload):
        payload, refusal = None, None
        try:
            payload = row.encode(row.decode(body), empty, STAMP)
        except Refusal as caught:
            refusal = caught
            payload = row.refuse(body, refusal, STAMP)
        answered += refusal is None
        refused += refusal is not None
        if payload is not None:
            assert xml.parse(payload.xml) is not None
        elif refusal is not None:
            assert soap.fault_of(refusal).code.startswith("env:")
    assert answered
    assert refused


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.xml")), ids=lambda path: path.stem)
def test_every_cut_of_the_bytes_is_refused(path: Path) -> None:
    content = path.read_bytes().rstrip()
    for length in range(0, len(content), 7):
        with pytest.raises(Fault):
            soap.read(content[:length])

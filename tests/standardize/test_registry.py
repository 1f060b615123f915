"""The table of formats: one recognises, none or several refuse; findings are complete."""

import pytest

from gateway.errors import Invalid, Malformed, Refusal, Unsupported
from gateway.model.batch import Severity
from gateway.standardize import (
    FORMATS,
    Format,
    Upload,
    attempt,
    format_named,
    read,
    recognise,
    registry,
)
from gateway.standardize.findings import CODES, PROBLEMS, finding
from tests.standardize.build import hl7


def test_names_are_unique():
    assert len({one.name for one in FORMATS}) == len(FORMATS)
    assert [format_named(one.name) for one in FORMATS] == list(FORMATS)
    with pytest.raises(Unsupported):
        format_named("x")


def test_two_formats_that_recognise_one_upload_are_an_error(monkeypatch):
    twin = Format(name="twin", recognise=lambda _: True, read=FORMATS[0].read)
    monkeypatch.setattr(registry, "FORMATS", (twin, twin))
    with pytest.raises(Invalid):
        recognise(Upload(path="x", content=b"x"))


def test_a_stored_name_over_another_content_is_refused():
    name = "0012345_-_ADT-00_1_20261101090000000_-_1"
    with pytest.raises(Malformed):
        read(Upload(path=name, content=b"JAHISTC08,1\r\n1,x,1,S010101"))


def test_attempt_makes_a_refusal_a_finding():
    batch = attempt(Upload(path="x", content=b"x"))
    assert (batch.format, batch.patient, batch.items) == ("", None, ())
    assert batch.findings[0].code == "unsupported"
    assert batch.findings[0].severity is Severity.ERROR
    with pytest.raises(Refusal):
        read(Upload(path="x", content=b"x"))


def test_every_finding_says_something_in_both_languages():
    for code in CODES:
        one = finding(code, "X")
        assert one.text.endswith(".")
        assert any(ord(c) > 0x3000 for c in one.japanese)
        assert one.at == "X"
    assert set(PROBLEMS.values()) <= set(CODES)


def test_a_chosen_format_is_used():
    upload = Upload(path="x", content=hl7("ADT^A08"))
    with pytest.raises(Malformed, match="stored file"):
        read(upload, format=format_named("ssmix2"))

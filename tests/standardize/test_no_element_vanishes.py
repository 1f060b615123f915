"""Every column of a table, field of a fixed record, element of FHIR is seen, found or explained.

As `test_nothing_vanishes`, for formats without segments: one is cleared wherever it has content.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.standardize import Upload, batches
from gateway.standardize.lab_fixed import layouts
from tests.shared import needs_shared
from tests.standardize.conftest import FILES, sample
from tests.standardize.test_fhir_published import STATED, _paths
from tests.standardize.test_nothing_vanishes import seen

TABLES = [name for name in FILES if name.startswith("csv/")]
RESOURCES = [name for name in FILES if name.startswith("fhir/") and name.endswith(".json")]
FIXED = {"lab-fixed/a1-bytes.dat": layouts.ORDER, "lab-fixed/a1-lines.txt": layouts.ORDER_DATED}
"Sample to the layout of its O1."

REASONS = {
    "O1.centre": "the laboratory, which the results name",
    "O1.examinee": "the laboratory's number of a person who has a chart number",
    "O1.age_kind": "the birth says the age",
    "O1.age": "the birth says it",
    "O1.items": "how many there are in O2",
    "O1.bed": "zeros: none",
    "A1.abnormal": "the flag of a result says it",
    **dict.fromkeys((f"A1.abnormal{n}" for n in range(1, 6)), "the flag of the result says it"),
}
WHOLE = {"Composition": "the document is filed as it came"}


def differs(upload: Upload, content: bytes, base: tuple[object, object, object]) -> bool:
    return seen(replace(upload, content=content))[:2] != base[:2]


def silent_columns(upload: Upload) -> Iterator[str]:
    """Columns of a table that nothing becomes of, though they have content."""
    (mapping,) = [one for one in upload.mappings if _reads(upload, one)]
    coding = {"utf-8": "utf-8-sig", "utf-16le": "utf-16"}.get(mapping.encoding, mapping.encoding)
    delimiter = {"tab": "\t"}.get(mapping.delimiter, mapping.delimiter)
    rows = [*csv.reader(io.StringIO(upload.content.decode(coding)), delimiter=delimiter)]
    head = int(mapping.header)
    names = rows[0] if mapping.header else [str(place) for place in range(1, len(rows[0]) + 1)]

    def written(rows: list[list[str]]) -> bytes:
        made = io.StringIO()
        csv.writer(made, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
        return made.getvalue().encode(coding)

    base = seen(replace(upload, content=written(rows)))
    assert base[0]
    ignored = {one.source for one in mapping.columns if one.to == "ignore"}
    for place, name in enumerate(names):
        cut = [*rows[:head], *([*row[:place], "", *row[place + 1 :]] for row in rows[head:])]
        if cut != rows and name not in ignored and not differs(upload, written(cut), base):
            yield name


def _reads(upload: Upload, mapping: object) -> bool:
    return any(one.items for one in batches(replace(upload, mappings=(mapping,))))


@pytest.mark.parametrize("name", TABLES)
def test_no_column_of_a_table_vanishes(name):
    assert [*silent_columns(sample(name))] == []


@pytest.mark.parametrize("name", FIXED)
def test_no_field_of_a_fixed_record_vanishes(name):
    upload = sample(name)
    ending = b"\r\n" if name.endswith(".txt") else b""
    length = layouts.LENGTH + len(ending)
    starts = range(0, len(upload.content), length)
    rows = [upload.content[start : start + length] for start in starts]
    base = seen(upload)
    for kind, layout in (("A1", layouts.RESULT), ("O1", FIXED[name])):
        for field, place in layout.items():
            blank = b" " * (place.stop - place.start)
            cut = [
                row[: place.start] + blank + row[place.stop :] if row[:2] == kind.encode() else row
                for row in rows
            ]
            if cut != rows and not differs(upload, b"".join(cut), base):
                assert f"{kind}.{field}" in REASONS


def silent_elements(upload: Upload) -> Iterator[str]:
    """Elements of resources that were taken over which nothing becomes of."""
    document = json.loads(upload.content, parse_float=str)
    entries = document.get("entry") or [{"resource": document}]
    upload = replace(upload, content=_json(document))
    base = seen(upload)
    became = {at: said for batch in batches(upload) for at, said in batch.account.items()}
    for number, entry in enumerate(entries):
        resource = entry.get("resource", {})
        said = became.get(f"entry[{number}]" if "entry" in document else "resource", "")
        if not said.startswith(("item", "used")) or resource["resourceType"] in WHOLE:
            continue
        for path in sorted(_paths_of(resource, ())):
            cut = _without(resource, path)
            content = _json(cut)
            if "entry" in document:
                changed = [*entries[:number], {**entry, "resource": cut}, *entries[number + 1 :]]
                content = _json({**document, "entry": changed})
            if not differs(upload, content, base):
                yield f"{resource['resourceType']}.{'.'.join(path)}"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _paths_of(node: object, path: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Every path of names; places in lists do not count."""
    if isinstance(node, list):
        return {found for one in node for found in _paths_of(one, path)}
    if not isinstance(node, dict):
        return set()
    found = {(*path, name) for name in node}
    return found.union(*(_paths_of(value, (*path, name)) for name, value in node.items()))


def _without(node: object, path: tuple[str, ...]) -> object:
    if isinstance(node, list):
        return [_without(one, path) for one in node]
    if not isinstance(node, dict):
        return node
    first, *rest = path
    if not rest:
        return {name: value for name, value in node.items() if name != first}
    return {
        name: _without(value, tuple(rest)) if name == first else value
        for name, value in node.items()
    }


@pytest.mark.parametrize("name", RESOURCES)
def test_no_element_of_our_fhir_vanishes(name):
    assert [*silent_elements(sample(name))] == []


@needs_shared
@pytest.mark.parametrize("path", [
    *_paths("jp-core-1.2.0-examples"), *_paths("eprescription-fhir", "package"),
])  # fmt: skip
def test_no_element_of_published_fhir_vanishes(path):
    upload = Upload(path=path.name, content=path.read_bytes(), patient=STATED)
    if any(one.items for one in batches(upload)):
        assert [*silent_elements(upload)] == []

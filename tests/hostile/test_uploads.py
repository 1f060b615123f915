"""Paths, archives and forms over the wire: `paths.jsonl`, `zip/`, `mime/` (E-06, E-07, C-06)."""

import io
import json
import tarfile
import time
import zipfile

import pytest
import yaml

from tests.hostile import forms
from tests.hostile.forms import BOUNDARY, PUBLISHED, form, part, published, rows
from tests.hostile.site import Site
from tests.shared import needs_shared
from tests.standardize.test_archive import AS_BOTH, AS_NAME, CRAFTED

PATHS = {row["id"]: row for row in rows("paths.jsonl")}
ZIPS = published("gateway/zip/*", "zip/**/*")
FORMS = published("mime/python-multipart/*.http")
MAILS = published("mime/mime4j/*")
LINES = published("text/traversal.txt")
PAYLOADS = {
    *ZIPS, *FORMS, *MAILS, *LINES, *published("mime/python-multipart/*.yaml"),
    *(f"gateway/paths.jsonl#{row}" for row in PATHS),
}  # fmt: skip
_LETTERS = str.maketrans("0123456789", "abcdefghij")
TREES = {"PATH-22", "PATH-23", "PATH-24", "PATH-25"}


def value(row: str) -> bytes:
    """What a row puts where a name or an identifier stands."""
    found = PATHS[row]
    if "value_hex" in found:
        return bytes.fromhex(found["value_hex"])
    text = found["value"] * 64 if row == "PATH-15" else found["value"]
    return str(text).encode()


def multipart_name(name: bytes) -> bytes:
    """A name as browsers write it into a form."""
    return name.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A")


@needs_shared
@pytest.mark.parametrize("door", ["form", "put"])
@pytest.mark.parametrize("row", [row for row in PATHS if row not in TREES and row != "PATH-21"])
def test_a_name_from_outside(site: Site, row: str, door: str) -> None:
    content = forms.laboratory(f"{row}-{door}")
    sound = row in AS_BOTH | AS_NAME or (row == "PATH-09" and door == "form")

    def send() -> int:
        if door == "put":
            answer = forms.put(site, value(row), content)
        else:
            answer = forms.upload(site, content, multipart_name(value(row)))
        if answer.status == 202:
            kept = json.loads(answer.body)["files"][0]["path"]
            assert kept == (multipart_name(value(row)) if door == "form" else value(row)).decode()
            forms.done(site, answer)
        return answer.status

    if sound:
        assert send() == 202
        return
    with site.nothing_left("PATH", "MTOM-FRAME", "HTTP-FRAME"):
        assert send() in (400, 422)


@needs_shared
def test_path_21_letters_of_both_cases_are_two_identifiers(site: Site) -> None:
    for chart in value("PATH-21").decode().split(" / "):
        forms.done(site, forms.upload(site, forms.laboratory(chart)))
    found = site.query("SELECT DISTINCT value FROM staged_item WHERE lower(value) = 'abc123'")
    assert {row[0] for row in found} == {"abc123", "ABC123"}


@needs_shared
@pytest.mark.parametrize("row", [row for row in PATHS if row not in TREES and row != "PATH-21"])
def test_an_identifier_from_outside(site: Site, row: str) -> None:
    """In PID-3 and as an identifier fed by ITI-44: data, or refused; never a file of that name."""
    chart = value(row).decode("utf-8", "replace")
    hl7 = forms.laboratory("CHART").replace(b"CHART", value(row))
    answer = forms.upload(site, hl7)
    if answer.status == 202:
        (file,) = forms.done(site, answer)
        stored = {one[0] for one in site.query("SELECT value FROM staged_item")}
        assert (chart.partition("|")[0] in stored) == (row in AS_BOTH), file
    else:
        assert answer.status in (400, 422)


def zipped(*entries: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(kind: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("tree/result.hl7")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    return buffer.getvalue()


def test_trees_with_wrong_names_and_links_are_refused(site: Site) -> None:
    """PATH-22 to PATH-25."""
    wrong = "123/456/1234567/20260401/ADT-00/7654321_20260401_ADT-00_1_20260401120000_-_1"
    message = forms.laboratory("1234567").replace(b"OUL^R22^OUL_R22", b"ADT^A08^ADT_A01")
    for name in (wrong, "123/456/1234567/20260401/..%2f/x", "../../x", "123/../x"):
        answer = forms.upload(site, zipped((name, message)), b"tree.zip")
        if answer.status == 202:
            assert [file["state"] for file in forms.done(site, answer)] == ["refused"], name
        else:
            assert answer.status == 422
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        (file,) = forms.done(site, forms.upload(site, tarred(kind), b"tree.tar"))
        assert (file["state"], file["size"]) == ("refused", 0)
        assert [one["code"] for one in file["findings"]] == ["link-or-device"]


@needs_shared
@pytest.mark.parametrize("name", ZIPS)
def test_an_archive(site: Site, name: str) -> None:
    content = (PUBLISHED / name).read_bytes()
    short = name.rpartition("/")[2]
    crafted = CRAFTED.get(short) if name.startswith("gateway/") else None
    before = site.state()
    answer = forms.upload(site, content, b"archive.zip")
    if answer.status == 202:
        assert crafted is None or isinstance(crafted, list)
        files = forms.done(site, answer)
        if crafted is not None:
            assert len(files) == len(crafted)
        assert all(file["items"]["staged"] == 0 for file in files)
        return
    assert answer.status in (413, 422)
    assert crafted is None or not isinstance(crafted, list)
    site.recorded(before.event, (), 1)
    after = site.settled(before)
    assert all(n <= before.rows[k] for k, n in after.rows.items())
    assert not after.files - before.files


@needs_shared
@pytest.mark.parametrize("name", FORMS)
def test_a_form_of_the_published_cases(site: Site, name: str) -> None:
    """Cut as its table says, or refused; what it holds is no upload of ours, so never taken."""
    row = yaml.safe_load((PUBLISHED / name).with_suffix(".yaml").read_text("utf-8"))
    body = (PUBLISHED / name).read_bytes()
    wrong = isinstance(row["expected"], dict)
    with site.nothing_left():
        answer = forms.post(site.client("hospital-a"), "/uploads", body, str(row["boundary"]))
        assert answer.status == 400 if wrong else answer.status in (400, 422)


@needs_shared
@pytest.mark.parametrize("name", MAILS)
def test_a_broken_mail_as_a_form(site: Site, name: str) -> None:
    content = (PUBLISHED / name).read_bytes()
    body = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").partition(b"\r\n\r\n")[2]
    line = next((ln for ln in body.splitlines() if ln.startswith(b"--")), b"--x")
    boundary = line[2:].decode("latin-1").rstrip("-") or "x"
    for sent in (body, content):
        with site.nothing_left():
            answer = forms.post(site.client("hospital-a"), "/uploads", sent, boundary)
            assert answer.status in (400, 413, 422)


@needs_shared
def test_traversal_lines_as_targets_and_names(site: Site) -> None:
    lines = (PUBLISHED / LINES[0]).read_bytes().splitlines()
    assert len(lines) > 100
    content = forms.laboratory("T-1")
    before = site.state()
    refused = 0
    for line in lines:
        for answer in (
            forms.put(site, line.lstrip(b"/") or b"/", content, raw=True),
            forms.upload(site, content, multipart_name(line)),
        ):
            if answer.status == 202:
                path = json.loads(answer.body)["files"][0]["path"]
                assert not set(path.split("/")) & {"", ".", ".."}
                assert "\\" not in path
            else:
                assert answer.status in (400, 404, 405, 422)
                refused += 1
    assert refused > len(lines)
    until = time.monotonic() + 3
    while any("temporary" in name for name in site.files()) and time.monotonic() < until:
        time.sleep(0.02)
    made = {name.partition("/")[0] for name in site.files() - before.files}
    assert all(len(folder) == 2 for folder in made)


@pytest.mark.parametrize(("name", "body", "status"), [
    ("no closing boundary", part("source", b"emr") + part("file", b"x", b"f"), 400),
    ("nothing", b"", 400),
    ("no form", b"hello", 400),
    ("a field twice", form(part("source", b"emr"), part("source", b"emr")), 400),
    ("no file", form(part("source", b"emr")), 422),
    ("a file of another name", form(part("source", b"emr"), part("other", b"x", b"f")), 422),
    ("unknown source", form(part("source", b"x"), part("file", b"x", b"f")), 422),
    ("no source", form(part("file", b"x", b"f")), 422),
    ("source not UTF-8", form(part("source", b"\xff"), part("file", b"x", b"f")), 422),
    ("name not UTF-8", form(part("source", b"emr"), part("file", b"x", b"\xc0\xaf")), 400),
    ("CR in a name", form(part("source", b"emr"), part("file", b"x", b"a\rb")), 400),
    ("unknown facility", form(part("source", b"emr"), part("facility", b"clinic-b"),
                              part("file", b"x", b"f")), 403),
    ("21 part headers", form(part("source", b"emr")).replace(
        b"\r\n\r\nemr", b"".join(b"\r\nX%d: y" % n for n in range(20)) + b"\r\n\r\nemr"), 400),
    ("20 part headers", form(part("source", b"emr")).replace(
        b"\r\n\r\nemr", b"".join(b"\r\nX%d: y" % n for n in range(19)) + b"\r\n\r\nemr"), 422),
    ("large part headers", form(part("source", b"emr")).replace(
        b"\r\n\r\nemr", b"\r\nX: " + b"y" * 9000 + b"\r\n\r\nemr"), 400),
    ("1001 parts", form(*(part("f" + f"{n}".translate(_LETTERS), b"") for n in range(1001))), 413),
    ("1000 parts", form(*(part("f" + f"{n}".translate(_LETTERS), b"") for n in range(1000))), 422),
    ("a large field", form(part("source", b"e" * 70_000)), 413),
    ("base64 part", form(part("source", b"emr")).replace(
        b"\r\n\r\nemr", b"\r\nContent-Transfer-Encoding: base64\r\n\r\nZW1y"), 400),
])  # fmt: skip
def test_a_spoilt_form(site: Site, name: str, body: bytes, status: int) -> None:
    with site.nothing_left():
        answer = forms.post(site.client("hospital-a"), "/uploads", body)
        assert answer.status == status, name


@pytest.mark.parametrize("kind", [
    "multipart/form-data", "multipart/form-data; boundary=", "application/json", "", "x/y",
    f"multipart/form-data; boundary={'a' * 71}", "multipart/form-data; boundary=a; boundary=b",
    f"multipart/mixed; boundary={BOUNDARY}", "text/plain",
])  # fmt: skip
@pytest.mark.parametrize("door", ["/uploads", "/documents"])
def test_a_wrong_media_type(site: Site, kind: str, door: str) -> None:
    with site.nothing_left("TYPE", "MTOM-FRAME"):
        answer = site.client("hospital-a").request("POST", door, form(), {"Content-Type": kind})
        assert answer.status == (400 if kind.startswith("multipart/form-data") else 415)

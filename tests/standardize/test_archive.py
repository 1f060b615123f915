"""Archives and folders: the crafted ZIPs, limits, tar, names."""

import dataclasses
import io
import os
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Invalid, Malformed, OverLimit, Refusal
from gateway.model.identifiers import Oid, PatientId
from gateway.settings import LimitSettings
from gateway.standardize import Upload, archive, folders, is_harmful, names
from tests.shared import SHARED, payloads
from tests.standardize.conftest import SAMPLES

LIMITS = LimitSettings()
HARMFUL = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-" + b"STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"

# file: refused as a whole, or per entry None for read and else the finding
CRAFTED = {
    "control.zip": [None],
    "sjis-name.zip": [None],
    "sjis-5c-name.zip": [None],
    "many-entries-500.zip": [None] * 500,
    "slip-absolute.zip": ["unsafe-name"],
    "slip-backslash.zip": ["unsafe-name"],
    "slip-parent.zip": [None, "unsafe-name"],
    "case-collision.zip": Malformed,
    "duplicate-names.zip": Malformed,
    "file-and-dir.zip": Malformed,
    "symlink-then-file.zip": Malformed,
    "forged-size.zip": Malformed,
    "ratio-1000-10MiB.zip": OverLimit,
}


def read(content, limits=LIMITS):
    return list(archive.entries(io.BytesIO(content), limits))


def became(found):
    return [getattr(one, "finding", None) and one.finding.code for one in found]


def zipped(*entries, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, **options) as made:
        for name, content in entries:
            made.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.skipif(SHARED is None, reason="the published payloads are absent")
@pytest.mark.parametrize("name", CRAFTED)
def test_crafted(name):
    content = (SHARED / "security" / "payloads" / "gateway" / "zip" / name).read_bytes()
    if isinstance(CRAFTED[name], list):
        assert became(read(content)) == CRAFTED[name]
    else:
        with pytest.raises(CRAFTED[name]):
            read(content)


@pytest.mark.skipif(SHARED is None, reason="the published payloads are absent")
def test_third_party_zips_give_defined_answers():
    answers = {}
    for path in sorted((SHARED / "security" / "payloads" / "zip").rglob("*.zip")):
        try:
            answers[path.name] = became(read(path.read_bytes()))
        except Refusal as refusal:
            answers[path.name] = refusal.rule
    assert answers["symlink.zip"] == ["link-or-device"]
    assert answers["encrypt-1234.zip"] == ["encrypted"]
    assert answers["lzma-no-eos.zip"] == ["compression-unknown"]
    assert answers["bigzero-zip.zip"] == ["nested-archive"]
    assert answers["testdeflated.zip"] == answers["test-utf8.zip"] == [None]
    assert answers["incons-local-filename.zip"] == "E-07"
    assert answers["junk-at-end.zip"] == "E-07"


def test_japanese_names_are_what_their_sender_wrote():
    entry = read(zipped(("患者/見本.csv", b"x")))[0]
    assert (entry.path, entry.content, entry.in_tree) == ("患者/見本.csv", b"x", True)


@pytest.mark.parametrize(
    ("limit", "value", "kind"),
    [
        ("archive_entries", 2, OverLimit),
        ("archive_bytes", 5, OverLimit),
        ("file_bytes", 2, "too-large"),
    ],
)
def test_limits_at_and_one_over(limit, value, kind):
    limits = dataclasses.replace(LIMITS, **{limit: value})
    sizes = {"archive_entries": (2, 1), "archive_bytes": (5, 1), "file_bytes": (1, 2)}[limit]
    count, size = sizes
    content = [(f"f{number}", b"x" * size) for number in range(count)]
    assert became(read(zipped(*content), limits)) == [None] * count
    more = [*content, ("more", b"x" * (size + 1 if limit == "file_bytes" else 1))]
    if isinstance(kind, str):
        assert became(read(zipped(*more), limits))[-1] == kind
    else:
        with pytest.raises(kind):
            read(zipped(*more), limits)


def test_a_bomb_stops_before_it_inflates():
    with pytest.raises(OverLimit):
        read(zipped(("bomb", b"\0" * (20 * 1024 * 1024))))


def test_trailing_data_and_nothing_at_all():
    good = zipped(("a", b"x"))
    for content in (good + b"junk", good[:-4], good[4:], b"PK\x03\x04", b"", b"no archive"):
        with pytest.raises(Malformed):
            read(content)


@pytest.mark.parametrize("place", ["plain", "zip", "tar", "csv"])
def test_the_antivirus_test_string_is_refused(place):
    assert is_harmful(HARMFUL)
    assert not is_harmful(HARMFUL[:-1])
    if place == "plain":
        from gateway.standardize import refuse_harmful

        with pytest.raises(Invalid) as caught:
            refuse_harmful(HARMFUL)
        assert caught.value.rule == "STG-09"
        return
    content = b"a,b\r\n1," + HARMFUL if place == "csv" else HARMFUL
    made = tarred(("x", content)) if place == "tar" else zipped(("x", content))
    with pytest.raises(Invalid):
        read(made)


def test_an_archive_inside_is_not_opened():
    found = read(zipped(("inner.bin", zipped(("a", b"x"))), ("b", b"y")))
    assert became(found) == ["nested-archive", None]


def tarred(*entries, kind=tarfile.REGTYPE, link=""):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, link
            info.size = len(content) if kind == tarfile.REGTYPE else 0
            made.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_tar():
    found = read(tarred(("./a/b.csv", b"x"), ("c", b"")))
    assert [(one.path, one.content) for one in found] == [("a/b.csv", b"x"), ("c", b"")]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_tar_links_and_devices(kind):
    """PATH-25: refused, and nothing is opened."""
    assert became(read(tarred(("x", b""), kind=kind, link="/etc/hosts"))) == ["link-or-device"]


def test_tar_names_and_ends():
    assert became(read(tarred(("../x", b"x"), ("/x", b"y")))) == ["unsafe-name"] * 2
    with pytest.raises(Malformed):
        read(tarred(("a", b"x"), ("A", b"x")))
    with pytest.raises(Refusal):
        read(tarred(("a", b"x" * 5000))[:1024])


def test_folder(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2").write_bytes(b"2")
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to("/etc/hosts")
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "fifo")
    found = {one.path: one for one in archive.at_path(tmp_path, LIMITS)}
    assert {path: one.content for path, one in found.items() if isinstance(one, Upload)} == {
        "a": b"1",
        "b/2": b"2",
    }
    refused = {path for path, one in found.items() if isinstance(one, archive.RefusedEntry)}
    assert refused == {"link", "loop", "fifo"}


def test_one_file_and_one_archive(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"x")
    assert list(archive.at_path(path, LIMITS)) == [Upload(path="x", content=b"x")]
    path.write_bytes(zipped(("y", b"z")))
    assert [one.path for one in archive.at_path(path, LIMITS)] == ["y"]
    small = dataclasses.replace(LIMITS, file_bytes=1)
    path.write_bytes(b"xy")
    assert became(archive.at_path(path, small)) == ["too-large"]


def test_the_sample_tree_is_the_same_from_folder_and_archive():
    folder = {one.path: one.content for one in archive.at_path(SAMPLES, LIMITS)}
    made = {one.path: one.content for one in read(zipped(*sorted(folder.items())))}
    assert made == folder


# Rows that may be a name and an identifier, and rows that may only be a name.
AS_BOTH = {"PATH-01", "PATH-11", "PATH-12", "PATH-18", "PATH-19"}
AS_NAME = {"PATH-22"}


def accepts(check, value):
    try:
        return check(value) == value
    except Malformed:
        return False


@pytest.mark.parametrize("row", payloads("gateway", "paths.jsonl"))
def test_paths(row):
    """A name is refused or is plain; an identifier is data and never becomes a path."""
    if row["value"] is None:
        # A link in a tree, links and devices in a tar: test_folder, test_tar_links_and_devices.
        assert row["id"] in ("PATH-24", "PATH-25")
        return
    value = row["value"] * 64 if row["id"] == "PATH-15" else row["value"]
    if row["id"] == "PATH-21":
        lower, upper = (PatientId(Oid("2.999.1"), one) for one in value.split(" / "))
        assert lower != upper
        return
    assert accepts(names.safe_path, value) == (row["id"] in AS_BOTH | AS_NAME)
    assert accepts(names.safe_identifier, value) == (row["id"] in AS_BOTH)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30))
def test_a_safe_name_stays_below_where_it_is_put(text):
    try:
        name = names.safe_path(text)
    except Malformed:
        return
    assert os.path.normpath("/r/" + name) == "/r/" + name


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 150))
def test_damaged_archives_never_crash(noise, place):
    good = zipped(("a/b.csv", b"x" * 50), ("c", b"y"))
    for content in (good[:place] + noise + good[place + len(noise) :], b"PK\x05\x06" + noise):
        try:
            read(content)
        except Refusal:
            continue


def test_a_folder_has_a_limit_of_its_own(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}").write_bytes(b"x")
    few = dataclasses.replace(LIMITS, archive_entries=2)
    assert len(list(archive.at_path(tmp_path, few))) == 5
    with pytest.raises(OverLimit):
        list(archive.at_path(tmp_path, dataclasses.replace(LIMITS, folder_entries=4)))


def test_a_folder_is_walked_by_names_and_nothing_is_followed(tmp_path):
    for name in ("b/2", "a", "b/1", ".hidden/x", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "d").symlink_to(tmp_path / "b")
    found = [(one.path, one.regular) for one in folders.walk(tmp_path)]
    assert found == [
        (".hidden/x", True), ("a", True), ("b/1", True), ("b/2", True), ("c", True), ("d", False)
    ]  # fmt: skip
    wanted = folders.walk(tmp_path, wanted=lambda name: not name.startswith((".", "b")))
    assert [one.path for one in wanted] == ["a", "c", "d"]
    assert folders.count(tmp_path) == 6
    with pytest.raises(FileNotFoundError):
        list(folders.walk(tmp_path / "nowhere"))


def test_names_of_a_folder_that_are_no_text(tmp_path):
    (tmp_path / os.fsdecode(b"\xff.txt")).write_bytes(b"x")
    (one,) = folders.walk(tmp_path)
    assert one.key == "\\udcff.txt"
    assert one.shown == "?.txt"
    assert became(archive.at_path(tmp_path, LIMITS)) == ["unsafe-name"]

"""The large claim file of the bench: what it is made of is read, and its size costs no memory."""

from pathlib import Path

from bench import claims
from gateway.standardize import Upload, batches


def test_every_row_of_a_made_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "RECEIPTC.UKE"
    rows = claims.make(path, 60_000)
    content = path.read_bytes()
    assert len(content.rstrip(b"\x1a").splitlines()) == rows
    found = list(batches(Upload(path=path.name, content=content)))
    assert all(one.format == "uke/medical" for one in found)
    told = claims.read(path)
    assert told["rows"] == rows - 2
    assert told["parts"] == len(found)
    assert told["items"] == sum(len(one.items) for one in found)


def test_a_seed_gives_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        claims.make(tmp_path / name, 20_000)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks = []
    for size in (2, 24):
        path = tmp_path / f"{size}.UKE"
        claims.make(path, size * 1024 * 1024)
        peaks.append(claims.told(path, "--cut-only")["mib"])
    assert peaks[1] < peaks[0] + 8

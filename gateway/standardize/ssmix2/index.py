"""SS-MIX2 index (索引, table `SSMIXIDX`) as a file: neither trusted nor kept (`security.md` E-08).

It says of every stored file whose it is and whether it was deleted, for many people at once. The
files say that themselves, and an index that says otherwise may be forged; so nothing is read of it.
Nor are its bytes kept: no erasure of one of those people would reach into them (WDR-01).
"""

import re

from gateway.model.batch import Batch
from gateway.standardize.findings import finding
from gateway.standardize.format import Format, Upload

_SQLITE = b"SQLite format 3\x00"
_TABLE = b"SSMIXIDX"
_COLUMNS = (b"VOLUMELABEL", b"FACILITYID", b"PATIENTID", b"ORDERDATE", b"DATAKIND")
"Columns of the table that an export has in its first line."
_HEAD = 64 * 1024
_LINE = re.compile(rb"[^\r\n]*")


def recognise(upload: Upload) -> bool:
    """By the table's name in the file's, in a database, or by its columns in a first line."""
    head = upload.content[:_HEAD]
    if _TABLE.decode() in upload.path.rpartition("/")[2].upper():
        return True
    if head.startswith(_SQLITE):
        return _TABLE in head.upper()
    first = _LINE.match(head)
    words = first[0].replace(b"\x00", b"").upper() if first else b""
    return all(words.find(column) >= 0 for column in _COLUMNS)


def read(upload: Upload) -> Batch:
    """Nothing of it is taken, and nothing stays."""
    return Batch(
        path=upload.path, format="ssmix2-index", patient=None, keep=False,
        findings=(finding("index-not-kept", "SSMIXIDX"),), account={"SSMIXIDX": "index-not-kept"},
    )  # fmt: skip


FORMAT: Format = Format(name="ssmix2-index", recognise=recognise, read=read, placed=True)

"""Small prescriptions for the tests, as symbols and inside e-prescription containers."""

import base64

from gateway.standardize import Upload, read
from tests.standardize.build import DOMAIN

HEAD = [
    "JAHIS10", "1,1,7654321,13,見本病院", "5,,,見本 一郎", "11,0012345,架空 花子,ｶｸｳ ﾊﾅｺ", "12,2",
    "13,19621103", "22,06000011", "23,１２－３４,５６７８,1,01", "51,20261102",
]  # fmt: skip
ORAL, USAGE = "101,1,1,,14", "111,1,2,1013044400000000,１日３回朝昼夕食後,3"
DRUG = "201,1,1,1,2,620004992,見本錠,3,1,錠"


def prescription(*rows, head=HEAD, charset="cp932", end="\r\n", last="\r\n", **options):
    content = (end.join([*head, *rows]) + last).encode(charset)
    options.setdefault("domain", DOMAIN)
    return read(Upload(path="rx.csv", content=content, **options))


def container(csv, inside="", name="PrescriptionDocument", root="Prescription"):
    body = base64.b64encode(csv.encode() if isinstance(csv, str) else csv).decode()
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Document id="Document"><{root}>'
        '<PrescriptionManagement id="PrescriptionManagement"><Version Value="EPS1.0"/>'
        f'<PrescriptionId Value="abc"/></PrescriptionManagement>'
        f'<{name} id="{name}">{body}</{name}>{inside}</{root}></Document>'
    ).encode()


def packed(*rows, head=HEAD):
    return "\n".join(["SJ1", *head[1:], *rows])


def only(batch):
    assert len(batch.items) == 1
    return batch.items[0].resource


def requests(*rows, **options):
    return [item.resource for item in prescription(*rows, **options).items]

"""Small messages for the tests, in the bytes a sender would write."""

from gateway.model.identifiers import Oid
from gateway.standardize import Upload, read

DOMAIN = Oid("2.999.30.1")
PID = "PID|0001||0012345^^^^PI||架空^花子^^^^^L^I~カクウ^ハナコ^^^^^L^P||19621103|F"
NAMES = {
    "ADT^A54": ("-", "ADT-01", "999999999999999"),
    "ADT^A55": ("-", "ADT-01", "999999999999999"),
    "ADT^A04": ("20261101", "ADT-12", "999999999999999"),
    "ADT^A14": ("20261101", "ADT-21", "999999999999999"),
    "ADT^A27": ("20261101", "ADT-21", "999999999999999"),
    "ADT^A01": ("20261101", "ADT-22", "999999999999999"),
    "ADT^A11": ("20261101", "ADT-22", "999999999999999"),
    "ADT^A21": ("20261101", "ADT-31", "999999999999999"),
    "ADT^A52": ("20261101", "ADT-31", "999999999999999"),
    "ADT^A22": ("20261101", "ADT-32", "999999999999999"),
    "ADT^A53": ("20261101", "ADT-32", "999999999999999"),
    "ADT^A15": ("20261101", "ADT-41", "999999999999999"),
    "ADT^A26": ("20261101", "ADT-41", "999999999999999"),
    "ADT^A02": ("20261101", "ADT-42", "999999999999999"),
    "ADT^A12": ("20261101", "ADT-42", "999999999999999"),
    "ADT^A16": ("20261101", "ADT-51", "999999999999999"),
    "ADT^A25": ("20261101", "ADT-51", "999999999999999"),
    "ADT^A03": ("20261101", "ADT-52", "999999999999999"),
    "ADT^A13": ("20261101", "ADT-52", "999999999999999"),
    "ADT^A60": ("-", "ADT-61", "999999999999999"),
    "OMD^O03": ("20261102", "OMD", "000000000060001"),
    "RAS^O17": ("20261102", "OMP-11", "000000000070001"),
    "OML^O33": ("20261104", "OML-01", "000000000080001"),
    "OMG^O19": ("20261104", "OMG-01", "000000000090001"),
    "OMI^Z23": ("20261104", "OMG-11", "000000000090001"),
    "ORU^R01": ("20261104", "OMG-13", "000000000090001"),
    "ADT^A08": ("-", "ADT-00", "999999999999999"),
    "PPR^ZD1": ("-", "PPR-01", "999999999999999"),
    "RDE^O11": ("20261102", "OMP-01", "000000000070001"),
    "OUL^R22": ("20261104", "OML-11", "000000000080001"),
}


def hl7(kind, *segments, charset="iso2022_jp", profile="", time="20261101090000"):
    """One message of that type."""
    declared = {"iso2022_jp": "~ISO IR87", "utf-8": "UNICODE UTF-8"}[charset]
    header = f"MSH|^~\\&|A|B|C|D|{time}||{kind}^X|M1|P|2.5||||||{declared}||ISO 2022-1994|{profile}"
    return ("\r".join([header, *segments]) + "\r").encode(charset)


def stored(
    kind,
    *segments,
    flag="1",
    patient="0012345",
    issued="20261101090000000",
    data_type="",
    **options,
):
    """The batch of a stored SS-MIX2 file of that type."""
    day, usual, order = NAMES[kind]
    data_type = data_type or usual
    name = f"{patient}_{day}_{data_type}_{order}_{issued}_01_{flag}"
    folders = f"{patient[:3]}/{patient[3:6]}/{patient}/{day}/{data_type}"
    return read(
        Upload(
            path=f"{folders}/{name}",
            content=hl7(kind, *segments, **options),
            in_tree=True,
            domain=DOMAIN,
        )
    )


def findings(batch):
    """Codes with places."""
    return [f"{one.code} {one.at}".strip() for one in batch.findings]


def only(batch, kind):
    """The only resource of that kind."""
    (found,) = [item.resource for item in batch.items if item.resource["resourceType"] == kind]
    return found

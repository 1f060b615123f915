"""Small claim files for the tests, in the bytes a claim computer would write."""

from gateway.model.identifiers import Oid
from gateway.standardize import Upload, batches

DOMAIN = Oid("2.999.30.1")
IR = "IR,1,13,1,1234567,,架空クリニック,202611,00,"
YK = "YK,1,13,4,3456789,架空薬局,202611,00,"
RE = "RE,1,1112,202610,架空　花子,2,19621103,,,,,,,00000123"
HO = "HO,01130012,１２,３４,1,100"


def days(**counts):
    """The 31 day columns: `days(d5=7, d19=14)`."""
    return ",".join(str(counts.get(f"d{day}", "")) for day in range(1, 32))


def act(code="160000310", cls="60", quantity="", count="1", **when):
    return f"SI,{cls},1,{code},{quantity},10,{count},,,,,,,{days(**when)}"


def drug(code="620004422", cls="21", amount="3", count="1", **when):
    return f"IY,{cls},1,{code},{amount},10,{count},,,,,,,{days(**when)}"


def claim(*rows, head=IR, patient=RE, payer=HO, end="GO,1,100,99"):
    """One receipt as a whole file."""
    lines = [head, patient, payer, *rows, end]
    return ("\r\n".join(line for line in lines if line) + "\r\n").encode("cp932")


def upload(content, domain=DOMAIN):
    return Upload(path="RECEIPTC.UKE", content=content, domain=Oid(domain))


def read_all(content, domain=DOMAIN):
    return list(batches(upload(content, domain)))


def read_one(*rows, **options):
    """The batch of a file with one receipt."""
    (batch,) = read_all(claim(*rows, **options))
    assert batch.format, [(one.code, one.at, one.text) for one in batch.findings]
    return batch


def refused(content):
    """Where and why a whole file is refused."""
    (batch,) = read_all(content)
    assert not batch.format
    assert not batch.items
    (found,) = batch.findings
    return found.at, found.text


def resources(batch, kind):
    return [item.resource for item in batch.items if item.resource["resourceType"] == kind]


def codes_of(batch):
    return [f"{one.code} {one.at}".strip() for one in batch.findings]

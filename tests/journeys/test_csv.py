"""A clinic's CSV through the upload door: by its mapping, cut by patient, staged and promoted."""

from pathlib import Path

from tests.journeys.senders import enrol_and_link, receipt, taken, upload
from tests.served import Served

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
LAB = SAMPLES / "standardize" / "csv" / "clinic-b-lab.csv"
MAPPING = SAMPLES / "mappings" / "clinic-b-lab.yaml"


def test_a_csv_needs_its_mapping(served: Served) -> None:
    client = served.client("clinic-b")
    assert upload(client, LAB.name, LAB.read_bytes(), source="emr").status == 422
    folder = served.installation.folder / "mappings"
    folder.mkdir(exist_ok=True)
    (folder / MAPPING.name).write_text(MAPPING.read_text("utf-8"), "utf-8")
    found = taken(client, LAB.name, LAB.read_bytes(), source="emr")
    (file,) = found["files"]
    assert file["state"] == "standardized"
    assert file["parts"]["standardized"] > 1
    staged = file["items"]["staged"]
    assert staged > 0
    assert enrol_and_link(served, "clinic-b", "00000123") > 0
    (file,) = receipt(client, found["receipt"])["files"]
    assert file["items"]["promoted"] > 0
    assert sum(file["items"].values()) == staged

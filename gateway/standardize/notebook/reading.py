"""One medication notebook while it is read."""

from gateway.model.identifiers import PatientId
from gateway.standardize.format import Upload
from gateway.standardize.notebook.rows import Notebook
from gateway.standardize.rows import Row, RowReading

FORMAT_NAME = "jahis-notebook"


class NotebookReading(RowReading):
    """What is known and found while one file becomes a batch."""

    __slots__ = ()

    def __init__(self, upload: Upload, patient: PatientId, notebook: Notebook) -> None:
        super().__init__(upload, patient, notes=notebook.notes)
        self.account(notebook.head, "used")

    def take(self, row: Row, *columns: str, became: str = "used") -> None:
        """Say that a row was read, who entered it, and what became of it."""
        if row.get("creator") == "2":
            self.find("patient-entered", row.at)
        super().take(row, *columns, "creator", became=became)

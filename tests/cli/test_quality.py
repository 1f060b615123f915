"""`gateway facility quality` of a demo facility: text, JSON, one page."""

from click.testing import CliRunner

from gateway.cli import group
from tests.served import Installation


def test_the_sheet_of_a_demo_facility(installation: Installation) -> None:
    page = installation.folder / "quality.html"
    found = installation.command("facility", "quality", "hospital-a", "--html", str(page))
    assert found["files"]["standardized"] > 0
    assert found["items"]["lab_result"][1] > 0
    assert all(cause["japanese"] for cause in found["causes"])
    html = page.read_text("utf-8")
    assert html.startswith("<!doctype html>")
    assert "Findings by cause" in html
    assert "http" not in html


def test_the_text(installation: Installation) -> None:
    words = ["facility", "quality", "hospital-a", "--config", str(installation.config)]
    done = CliRunner().invoke(group, words)
    assert done.exit_code == 0, done.output
    assert "Codes without a standard one 未対応コード" in done.output


def test_nobody_of_that_name(installation: Installation) -> None:
    installation.command("facility", "quality", "nobody", exit_code=1)

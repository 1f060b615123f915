"""Every command of the interfaces page is there, or is owed by name."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import cli
from tests import forked
from tests.served import Installation
from tests.shared import needs_shared, shared

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "init", "serve", "demo", "check-settings", "migrate", "policy show", "policy check",
    *(f"facility {verb}" for verb in ["add", "list", "show", "change", "suspend", "resume", "end"]),
    *(f"user {verb}" for verb in ["add", "list", "show", "change", "suspend", "resume", "end"]),
    "facility quality",
    *(f"contract {verb}" for verb in ["add", "list", "show", "end"]),
    *(f"peer {verb}" for verb in ["add", "list", "show", "change", "suspend", "resume", "end"]),
    *(f"domain {verb}" for verb in ["add", "list", "show"]),
    *(f"patient {verb}" for verb in ["enrol", "link", "unlink", "merge", "unmerge", "show", "why"]),
    *(f"consent {verb}" for verb in ["grant", "exclude", "withdraw", "show"]),
    "intake", "standardize", "standardize why", "mapping draft", "verify", "retention run",
    "erase facility",
    *(f"audit {verb}" for verb in ["verify", "export", "consistency", "who-saw"]),
    "store verify", "backup", "restore",
)  # fmt: skip
MODULES = sorted({place.partition(":")[0] for place in cli.COMMANDS.values()})
OWED = {"codes", "watch"}
"Words of the page that come with the complete standardization stage."


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_explains_itself_in_both_languages(words: str) -> None:
    done = forked.run(*words.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage:")
    assert re.search(r"[ぁ-ん一-龥]", done.stdout), "no Japanese"
    assert re.search(r"[A-Za-z]{3}", done.stdout.split("\n", 2)[2]), "no English"


@pytest.mark.parametrize("place", MODULES)
def test_a_module_of_commands_loads_first(place: str) -> None:
    """Nothing that it needs is there only because another command was loaded before."""
    done = subprocess.run(
        [sys.executable, "-c", f"import {place}"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@needs_shared
def test_the_page_names_no_other_command() -> None:
    text = shared("design", "INTERFACES.md").read_text("utf-8")
    section = text.split("## 2. Command line")[1].split("## 3.")[0]
    named = set(re.findall(r"`gateway ([a-z-]+)", section))
    named |= {"user", "contract", "peer", "domain", "codes", "watch"}
    assert named - {words.split()[0] for words in COMMANDS} == OWED


def test_an_unknown_command_is_wrong_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "frobnicate"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "No such command" in done.stderr


def test_settings_are_checked_with_the_neighbours(installation: Installation) -> None:
    assert installation.command("check-settings")["neighbours"] == 1
    (installation.folder / "peers" / "broken.yaml").write_text("name: broken\n", "utf-8")
    installation.command("check-settings", exit_code=2)


def test_settings_are_checked_with_the_mappings(installation: Installation) -> None:
    assert installation.command("check-settings")["mappings"] == 0
    folder = installation.folder / "mappings"
    folder.mkdir(exist_ok=True)
    sample = ROOT / "samples" / "mappings" / "clinic-b-lab.yaml"
    (folder / "lab.yaml").write_text(sample.read_text("utf-8"), "utf-8")
    assert installation.command("check-settings")["mappings"] == 1
    (folder / "broken.yaml").write_text("facility: x\n", "utf-8")
    installation.command("check-settings", exit_code=2)

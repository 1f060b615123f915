"""Building and starting the foreign peers, which are small Java programs with a `pom.xml`.

Standard library only. A peer is built by Maven when its sources changed and started on a class
path, without Maven; later runs work off line.
"""

# ruff: noqa: S603 - every command is built here, none from input

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
)


class Unavailable(Exception):
    """Something a peer needs is not there; the text says what to do, in both languages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One peer: its name for people, and the folder with its `pom.xml` and `src/`."""

    name: str
    folder: Path
    built: Path
    "Where its classes and its class path go."

    def command(self, flags: Sequence[str], arguments: Sequence[str]) -> list[str]:
        """The command line that starts the peer's program, built if need be."""
        java = self._require_java()
        return [java, *flags, *LOGGING, "-cp", self.class_path(), "peer.Main", *arguments]

    def class_path(self) -> str:
        """Build the peer if need be and return its class path."""
        stamp, listed = self.built / "built.stamp", self.built / "classpath.txt"
        if not (stamp.is_file() and stamp.read_text() == self._digest() and _complete(listed)):
            self._build(listed)
            stamp.write_text(self._digest())
        return f"{self.built / 'classes'}{os.pathsep}{listed.read_text().strip()}"

    def _require_java(self) -> str:
        java = shutil.which("java")
        if java:
            said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
            found = re.search(r'version "(\d+)', said.stderr + said.stdout)
            if found and int(found[1]) >= 17:
                return java
        raise Unavailable(
            f"Java 17 or newer is needed for the {self.name} peer: install a JDK "
            "(e.g. openjdk-17-jdk).\n"
            f"{self.name} ピアには Java 17 以上の JDK が必要です。インストールしてください。"
        )

    def _digest(self) -> str:
        """Digest of everything the build depends on."""
        digest = hashlib.sha256()
        for file in (self.folder / "pom.xml", *sorted((self.folder / "src").rglob("*.java"))):
            digest.update(file.relative_to(self.folder).as_posix().encode())
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def _build(self, listed: Path) -> None:
        """Run Maven: off line if everything is there already, else by coordinates."""
        maven = shutil.which("mvn")
        if not maven or not shutil.which("javac"):
            raise Unavailable(
                f"Maven and a JDK with javac are needed to build the {self.name} peer: install "
                "maven and e.g. openjdk-17-jdk-headless.\n"
                f"{self.name} ピアのビルドには Maven と JDK(javac)が必要です。"
                "インストールしてください。"
            )
        self.built.mkdir(exist_ok=True)
        shutil.rmtree(self.built / "classes", ignore_errors=True)
        goals = ("compile", "dependency:build-classpath", f"-Dmdep.outputFile={listed}")
        log = self.built / "maven.log"
        for mode in (("-o",), ()):
            how = " (off line)" if mode else " (resolving with Maven)"
            say(f"building the {self.name} peer{how}")
            with log.open("w", encoding="utf-8") as out:
                done = subprocess.run(
                    [maven, "-q", "-B", "-ntp", *mode, *goals],
                    cwd=self.folder,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
            if done.returncode == 0:
                return
        raise Unavailable(
            f"Maven could not build the {self.name} peer; the reason is in {log}:\n{tail(log)}\n"
            f"{self.name} ピアをビルドできませんでした。上のログを確認してください。"
        )


def _complete(listed: Path) -> bool:
    return listed.is_file() and all(
        Path(jar).is_file() for jar in listed.read_text().strip().split(os.pathsep)
    )


def tail(file: Path, lines: int = 25) -> str:
    """The last lines of a log."""
    return "\n".join(file.read_text("utf-8", "replace").splitlines()[-lines:])


def say(text: str) -> None:
    """Tell the person who runs this; standard output is for results."""
    print(text, file=sys.stderr, flush=True)

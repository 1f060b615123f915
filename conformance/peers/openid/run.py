"""Install and start the provider; it ends with the block that started it.

Standard library only. Installed once by `npm ci` into `build/openid`, off line afterwards.
"""

# ruff: noqa: S603 - every command is built here, none from input

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conformance.peers.java import Unavailable

HERE = Path(__file__).resolve().parent
BUILT = HERE.parents[2] / "build" / "openid"
_FILES = ("package.json", "package-lock.json", "provider.js")
_INSTALL_SECONDS, _START_SECONDS = 120.0, 30.0


def install() -> Path:
    """The folder with the provider and what it needs; raises `Unavailable`."""
    digest = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in _FILES)).hexdigest()
    stamp = BUILT / "installed.stamp"
    if stamp.is_file() and stamp.read_text("utf-8") == digest:
        return BUILT
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        raise Unavailable(
            "node 20 or newer with npm is needed for the OpenID provider: install nodejs and npm.\n"
            "OpenID プロバイダーには node 20 以上と npm が必要です。インストールしてください。"
        )
    BUILT.mkdir(parents=True, exist_ok=True)
    for name in _FILES:
        shutil.copy(HERE / name, BUILT / name)
    words = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            words, cwd=BUILT, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable("npm ci took too long. npm ci が終わりません。") from error
    if done.returncode != 0:
        raise Unavailable(f"npm ci failed. npm ci に失敗しました。\n{done.stderr.strip()}")
    stamp.write_text(digest, "utf-8")
    return BUILT


@contextmanager
def provider(order: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """Serve by `order` (see `provider.js`) until the block ends; yields the issuer."""
    built = install()
    written = folder / "order.json"
    written.write_text(json.dumps(order), "utf-8")
    node = shutil.which("node")
    if not node:
        raise Unavailable("node is gone. node がありません。")
    with (folder / "provider.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [node, "provider.js", str(written)], cwd=built, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a process without pipes")
        with process:
            said = process.stdout.readline()
            if not said:
                raise Unavailable((folder / "provider.log").read_text("utf-8"))
            try:
                yield json.loads(said)["issuer"]
            finally:
                process.stdin.close()
                process.wait(timeout=_START_SECONDS)

"""A gateway process that tells on itself: connections out, files written elsewhere, programs run.

`python serving.py LOG FOLDER` serves `FOLDER/gateway.toml`; what `security.md` section 8 forbids
goes to LOG, one JSON line each, from the moment it prints `ready`.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from gateway.__main__ import main

_OURS = "gateway.edge.sandbox_child"
_PLAIN = ("/dev/null", "/dev/urandom")


def watch(log: Path, folder: Path) -> None:
    """Write down whatever leaves the folder or the process."""
    number = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    inside = f"{folder.resolve()}{os.sep}"

    def tell(event: str, what: object) -> None:
        os.write(number, json.dumps([event, str(what)[:300]]).encode() + b"\n")

    def hook(event: str, given: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "os.system",
                     "os.exec", "os.posix_spawn", "urllib.Request", "ftplib.connect"):  # fmt: skip
            tell(event, given[1:] if event == "socket.connect" else given)
        elif event == "subprocess.Popen":
            if _OURS not in [str(word) for word in given[1]]:
                tell(event, given[1])
        elif event == "open" and isinstance(given[0], str | bytes | os.PathLike):
            path = str(Path(os.fsdecode(given[0])).absolute())
            writes = bool(int(given[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if writes and not path.startswith(inside) and path not in _PLAIN:
                tell(event, path)
        elif event in ("os.rename", "os.link", "os.symlink", "os.mkdir"):
            for path in given[: 1 if event == "os.mkdir" else 2]:
                if not str(Path(os.fsdecode(path)).absolute()).startswith(inside):
                    tell(event, path)

    sys.addaudithook(hook)


if __name__ == "__main__":
    _log, _folder = Path(sys.argv[1]), Path(sys.argv[2])
    _log.touch()
    watch(_log, _folder)
    sys.argv[1:] = ["serve", "--json", "--config", str(_folder / "gateway.toml")]
    main()

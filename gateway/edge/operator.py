"""The operator's door: plain HTTP on loopback, no patient data (M-07)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import Executor
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from gateway.edge.answers import Receive, Send, answer, answer_json

Checks = Callable[[], Awaitable[Mapping[str, bool]]]
"Each thing that must be fine, by name: database, audit, disk, clock, keys (R-24)."
Warnings = Callable[[], Sequence[Mapping[str, str]]]
"What somebody must see to, and answering goes on without."


class OperatorDoor:
    """`/healthz`, `/readyz`, `/metrics`."""

    def __init__(
        self, checks: Checks, registry: CollectorRegistry, pool: Executor, warnings: Warnings
    ) -> None:
        self._checks = checks
        self._warnings = warnings
        self._registry = registry
        self._pool = pool

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request; anything else is 404 or 405."""
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        if path not in ("/healthz", "/readyz", "/metrics"):
            await answer(send, 404)
        elif method not in ("GET", "HEAD"):
            await answer(send, 405, headers=[("Allow", "GET, HEAD")])
        elif path == "/healthz":
            await answer_json(send, 200, {"alive": True})
        elif path == "/readyz":
            found = dict(await self._checks())
            ready = all(found.values())
            told: dict[str, Any] = {"ready": ready, "checks": found}
            if found.get("database"):
                loop = asyncio.get_running_loop()
                told["warnings"] = await loop.run_in_executor(self._pool, self._warnings)
            await answer_json(send, 200 if ready else 503, told)
        else:
            counted = asyncio.get_running_loop().run_in_executor(
                self._pool, generate_latest, self._registry
            )  # on a thread: some of it is asked of the database
            await answer(send, 200, await counted, media=CONTENT_TYPE_LATEST)

"""Is everything there that answering needs (`security.md` R-24)? Asked by `/readyz`."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor

logger = logging.getLogger(__name__)
_SECONDS = 3.0
Check = Callable[[], bool]


class Readiness:
    """Runs every check on a worker thread, each with a deadline; what fails or hangs is a no."""

    def __init__(self, checks: Mapping[str, Check], pool: Executor) -> None:
        self._checks = checks
        self._pool = pool

    async def __call__(self) -> dict[str, bool]:
        """Each check's outcome by name."""
        names = list(self._checks)
        found = await asyncio.gather(*(self._one(name) for name in names))
        return dict(zip(names, found, strict=True))

    async def _one(self, name: str) -> bool:
        loop = asyncio.get_running_loop()
        try:
            running = loop.run_in_executor(self._pool, self._checks[name])
            return await asyncio.wait_for(running, _SECONDS)
        except Exception as error:
            logger.warning("readiness: %s: %s", name, type(error).__name__)
            return False

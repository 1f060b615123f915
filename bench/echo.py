"""The floor: bare uvicorn, Starlette and lxml that read a body and send it back, over our TLS.

`python -m bench.echo --config gateway.toml` serves with that installation's certificates.
"""

import argparse
import asyncio
import ssl
from pathlib import Path

import uvicorn
from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway import settings
from gateway.edge import server, tls


async def echo(request: Request) -> Response:
    """Parse, serialize, send."""
    root = etree.fromstring(await request.body())
    return Response(etree.tostring(root), media_type="application/soap+xml; charset=UTF-8")


def context(config: Path) -> ssl.SSLContext:
    """The TLS settings of the gateway's machine port."""
    return tls.server_context(settings.load(config).tls, client=True)


async def _serve(config: Path) -> None:
    application = Starlette(routes=[Route("/pix", echo, methods=["POST"])])
    found = uvicorn.Config(application, log_config=None, access_log=False, lifespan="off")
    found.load()
    found.ssl = context(config)  # what uvicorn makes of its own options, with ours in them
    socket = server.bind("127.0.0.1", 0)
    running = uvicorn.Server(found)
    serving = asyncio.create_task(running.serve([socket]))
    while not running.started:
        await asyncio.sleep(0.01)
    print(f"ready https://localhost:{socket.getsockname()[1]}", flush=True)
    await serving


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(parser.parse_args().config))


if __name__ == "__main__":
    main()

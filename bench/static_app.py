"""The least that FastAPI can be: one address, one answer. `python -m bench.static_app BYTES` prints where."""

import socket
import sys

import uvicorn
from fastapi import FastAPI, Response

HEADERS = {"Cache-Control": "private, no-store", "ETag": 'W/"1"', "Vary": "Authorization, Cookie"}


class Server(uvicorn.Server):
    """Says where it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        sys.stdout.write(f"http://127.0.0.1:{port}\n")
        sys.stdout.flush()


def main() -> None:
    """Serve on a free port."""
    app, body = FastAPI(openapi_url=None), b"x" * int(sys.argv[1])

    @app.get("/static")
    async def static() -> Response:
        return Response(body, headers=HEADERS, media_type="application/json")

    Server(uvicorn.Config(app, port=0, http="h11", log_config=None, access_log=False)).run()


if __name__ == "__main__":
    main()

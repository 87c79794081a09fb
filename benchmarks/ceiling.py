"""The ceiling: an empty FastAPI route with the same body, served by the same server with one process."""

from __future__ import annotations

import sys
from typing import Any

from fastapi import FastAPI

from app.intents.bodies import CallBody
from app.platform.server import prefork
from app.platform.server.listener import listen

app = FastAPI()


@app.post("/v1/intents", status_code=201)
async def empty(intent: CallBody) -> dict[str, Any]:
    """Reads the body, answers nothing of it."""
    return {"id": "", "verdict": "approved"}


if __name__ == "__main__":
    listener = listen("127.0.0.1", int(sys.argv[1]))
    sys.exit(prefork.serve_forever(listener, lambda: app))

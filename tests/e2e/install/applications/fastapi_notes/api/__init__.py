#!/usr/bin/env python3
"""The JSON interface of the application."""

import os
from typing import Annotated

from fastapi import APIRouter, Body, Depends, WebSocket

from models import NOTES
from vestibule.protect.fastapi import Vestibule
from vestibule.protect.verify_response import Principal

vestibule = Vestibule(os.environ["VESTIBULE_URL"], check_interval=0.05)
User = Annotated[Principal, Depends(vestibule.current_user)]
Admin = Annotated[Principal, Depends(vestibule.role_required("admin"))]
router = APIRouter(prefix="/api")


@router.get("/notes")
def list_notes(user: User) -> dict[str, list[str]]:
    """Return the user's notes."""
    return {"notes": NOTES.get(user.id, [])}


@router.post("/notes", status_code=201)
async def add_note(user: User, text: Annotated[str, Body(embed=True)]) -> None:
    """Add a note."""
    NOTES.setdefault(user.id, []).append(text)


@router.websocket("/live")
async def live(websocket: WebSocket, user: User) -> None:
    """Send back what the user writes."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(f"{user.name}: {text}")

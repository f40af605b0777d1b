#!/usr/bin/env python3
"""A route of FastAPI for those who are signed in at Vestibule.

`PEER_VESTIBULE` names the Vestibule to ask over HTTP; where it is empty,
the installation that the settings of this process name is asked.
"""

import os
from typing import Any

from fastapi import Depends, FastAPI

from vestibule.protect.fastapi import Vestibule
from vestibule.protect.verify_response import Principal

url = os.environ["PEER_VESTIBULE"]
vestibule = Vestibule(url) if url else Vestibule.in_process()
app = FastAPI(lifespan=vestibule.lifespan)


@app.get("/whoami")
async def whoami(
    user: Principal = Depends(vestibule.current_user),
) -> dict[str, Any]:
    """Return the email of the authenticated user."""
    return {"id": user.id, "email": user.email}

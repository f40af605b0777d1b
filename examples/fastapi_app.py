#!/usr/bin/env python3
"""A FastAPI application whose users sign in at a Vestibule.

Run it by `uvicorn --port 8000 examples.fastapi_app:app`.
"""

import os
from typing import Annotated

from fastapi import Depends, FastAPI

from vestibule.protect.fastapi import Vestibule
from vestibule.protect.verify_response import Principal

vestibule = Vestibule(os.environ.get("VESTIBULE_URL", "http://127.0.0.1:5000"))
app = FastAPI(lifespan=vestibule.lifespan)
User = Annotated[Principal, Depends(vestibule.current_user)]
Admin = Annotated[Principal, Depends(vestibule.role_required("admin"))]


@app.get("/me")
async def me(user: User) -> dict[str, str]:
    """Greet the signed-in user."""
    return {"name": user.name}


@app.get("/admin")
async def admin(user: Admin) -> dict[str, str]:
    """Answer admins only."""
    return {"role": user.role}

#!/usr/bin/env python3
"""Notes in FastAPI."""

from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader

from api import Admin, router, vestibule
from models import NOTES

pages = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
)


@asynccontextmanager
async def lifespan(app):
    """Record that the application has started."""
    app.state.is_started = True
    yield


app = FastAPI(lifespan=lifespan)
vestibule.init_app(app)
app.include_router(router)


@app.get("/", response_class=HTMLResponse)
async def home(request: Request) -> str:
    """Greet any client."""
    return pages.get_template("page.html").render(user=request.user)


@app.get("/admin/", response_class=HTMLResponse)
async def admin(user: Admin) -> str:
    """Show the number of notes of each user."""
    return pages.get_template("page.html").render(user=user, counts=NOTES)

#!/usr/bin/env python3
"""FastAPI-Users with a cookie and the database strategy.

Models, database adapters and the three dependencies are those of its
documents; the store is PostgreSQL or SQLite, by SQLAlchemy.
"""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import peer_settings
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, CookieTransport
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users.db import (
    SQLAlchemyBaseUserTableUUID,
    SQLAlchemyUserDatabase,
)
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTableUUID,
)
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase

engine = create_async_engine(
    peer_settings.POSTGRESQL
    or f"sqlite+aiosqlite:///{peer_settings.sqlite('fastapi_users')}"
)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """What all tables have in common."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """A user, as the library requires it."""


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    """A session, as the library wants it."""


class Manager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """What makes and authenticates users."""

    reset_password_token_secret = peer_settings.SECRET
    verification_token_secret = peer_settings.SECRET


async def session() -> AsyncIterator[AsyncSession]:
    """Yield a session of the database for one request."""
    async with sessions() as opened:
        yield opened


async def users(
    opened: AsyncSession = Depends(session),
) -> AsyncIterator[Any]:
    """Yield the adapter for users."""
    yield SQLAlchemyUserDatabase(opened, User)


async def tokens(
    opened: AsyncSession = Depends(session),
) -> AsyncIterator[Any]:
    """Yield the adapter for sessions."""
    yield SQLAlchemyAccessTokenDatabase(opened, AccessToken)


async def manager(stored: Any = Depends(users)) -> AsyncIterator[Manager]:
    """Yield what makes and authenticates users."""
    yield Manager(stored)


def strategy(
    stored: Any = Depends(tokens),
) -> DatabaseStrategy[Any, Any, Any]:
    """Return how sessions are kept."""
    return DatabaseStrategy(stored, lifetime_seconds=43200)


backend = AuthenticationBackend(
    name="database",
    transport=CookieTransport(cookie_max_age=43200, cookie_secure=False),
    get_strategy=strategy,
)
fastapi_users = FastAPIUsers[User, uuid.UUID](manager, [backend])
current_user = fastapi_users.current_user(active=True)

app = FastAPI()
app.include_router(fastapi_users.get_auth_router(backend))


@app.get("/whoami")
async def whoami(user: User = Depends(current_user)) -> dict[str, Any]:
    """Return the email of the authenticated user."""
    return {"id": user.id, "email": user.email}


async def prepare() -> None:
    """Make the tables and the users."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with asynccontextmanager(session)() as opened:
        made = Manager(SQLAlchemyUserDatabase(opened, User))
        for email in peer_settings.EMAILS:
            user = await made.create(
                schemas.BaseUserCreate(
                    email=email, password=peer_settings.PASSWORD
                )
            )
    await engine.dispose()
    print(user.hashed_password)


if __name__ == "__main__" and sys.argv[1:] == ["prepare"]:
    asyncio.run(prepare())

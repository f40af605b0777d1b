#!/usr/bin/env python3
"""The collection of all tables, which each table is added to."""

from sqlalchemy import MetaData

METADATA = MetaData()

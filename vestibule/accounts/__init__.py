#!/usr/bin/env python3
"""What may be done to an account; each of these rules exists here once."""

#!/usr/bin/env python3
"""Who somebody is, signed for the applications behind the gate."""

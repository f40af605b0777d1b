#!/usr/bin/env python3
"""The command line: in this process, as a process, and on a terminal."""

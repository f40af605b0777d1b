#!/usr/bin/env python3
"""How fast the service is, as ratios that hold on any machine."""

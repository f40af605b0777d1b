#!/usr/bin/env python3
"""What every HTTP route shares: request, response, headers, access, login."""

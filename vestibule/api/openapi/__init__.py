#!/usr/bin/env python3
"""The OpenAPI 3.1 description of the API, and the page to try it.

Each route has one declaration, in the module of its resource. A test sends
requests until it has seen every declared status, header and field, and
fails for any that is not declared."""

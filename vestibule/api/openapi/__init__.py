#!/usr/bin/env python3
"""The description of the API by OpenAPI 3.1, and the page to try it.

Its law: one declaration for each route, in the module of its resource; a
test sends requests until every status, header and field that is declared
was seen, and none that is not.
"""

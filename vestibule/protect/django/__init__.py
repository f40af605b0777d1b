#!/usr/bin/env python3
"""Django: the signed-in user of a Vestibule as `request.user`.

The middleware and the backend work as `RemoteUserMiddleware` and
`RemoteUserBackend` do. No model or migration comes with them.
"""

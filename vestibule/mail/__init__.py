#!/usr/bin/env python3
"""Mail: the texts, the queue in the database, and the way to a server.

A mail is queued in the transaction of the change that it tells of. A thread
of the service, or `vestibule mail send`, hands it to the server later, so no
request waits for mail.
"""

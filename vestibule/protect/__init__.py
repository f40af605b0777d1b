#!/usr/bin/env python3
"""What an application of somebody's own needs to know who its users are.

Its law: whoever cannot be named is nobody, and where nobody can tell, the
answer is 503: what fails here never opens a door. Importing what is for
one framework needs no other.
"""

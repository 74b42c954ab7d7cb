"""Prepares the database and keeps Redis in step with it, for as long as the control process lives.

Whatever goes wrong (a server away, a second control process that holds the lock) is logged once and tried again.
"""

"""What the processes of one node know of each other: the names the supervisor and its children agree on.

A leaf, so that the control process can read it without importing the worker's code by way of `gateway.child`.
"""

from __future__ import annotations

EX_CONFIG = 78
"""Exit code (sysexits.h): started wrongly, and starting again would not help."""

CONFIG_VARIABLE = "CALLGATE_CONFIG"
"""Environment variable that names the configuration file."""

PRINCIPAL_VARIABLE = "CALLGATE_PRINCIPAL"
"""Environment variable that names who makes a change, for the audit trail."""

TOKEN_VARIABLE = "CALLGATE_TOKEN"
"""Environment variable that holds the token of whoever asks for, or allows, what takes two persons."""

SETTINGS_VARIABLE = "CALLGATE_CHILD_SETTINGS"
"""Environment variable that holds a child's checked settings, as JSON."""

SUPERVISOR_VARIABLE = "CALLGATE_SUPERVISOR"
"""Environment variable that holds the supervisor's process id."""

SOCKETS_VARIABLE = "CALLGATE_CHILD_SOCKETS"
"""Environment variable that holds the descriptors of the SIP sockets a worker inherits (`net.group`)."""

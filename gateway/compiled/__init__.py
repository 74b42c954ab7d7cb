"""Is this gateway compiled? A wheel built where a C compiler is has the path of a call as native code.

Theory of operation. `build` has the commands setuptools runs for a wheel: they turn the modules on the path of a call
into C with mypyc and put the result beside the Python files, which stay as they are. Python prefers the native module
where there is one. A source tree never gets one, so an edited file is always the file that runs.
"""

from __future__ import annotations

import gateway.sip.parser

COMPILED = not gateway.sip.parser.__file__.endswith(".py")
"""True where the path of a call is native code."""

FLAVOUR = "compiled" if COMPILED else "plain"
"""In a word, for people and for `callgate_build_info`."""

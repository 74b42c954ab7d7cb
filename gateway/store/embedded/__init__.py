"""Private real servers for a machine that has none: Redis and PostgreSQL from wheels, under the state
directory.

Theory of operation. `EmbeddedServers(state_dir)` takes an exclusive lock on the state directory, starts both
servers as children of the calling process on unix sockets (no TCP), and writes their URLs to
`<state>/run/embedded.json`, where commands beside a running gateway find them (`read_endpoints`). Nothing
outside the state directory is changed, with one exception: where its path is too long for a unix socket, the
sockets stand in a private directory made by mkdtemp. A server dies with its parent (PDEATHSIG); one left over
from a killed parent is found by its pid file and stopped first.
"""

"""Callgate, the program.

Theory of operation. `callgate run` (`cli`, `app`) starts one supervisor (`supervisor`, `child`, `process`) with
three kinds of children. A *worker* (`worker`) is the path of a call and all it needs: `net` takes datagrams from
its sockets, `sip` reads them, `proxy` with `transaction` moves them on, and for an initial INVITE asks the gate
(`gate`), which judges by the registry in memory (`registry`), the rules (`policies`, beside this package) and one
round trip to Redis (`store.redis`). The *shipper* carries the workers' journals into PostgreSQL; *control*
(`control`) serves HTTP, projects PostgreSQL into Redis and applies changes. Workers never open PostgreSQL, so its
outage stops no call.

`sip`, `transaction`, `proxy` and `registry` are pure: they take bytes, values and `now`, and say what to do through
injected functions. Everything with a socket, a clock or a file is in `net`, `store`, `control`, `telemetry` and
`worker`.
"""

"""The asyncio edge of a worker: the only place with sockets, a clock and tasks on the path of a call.

Theory of operation. Everything happens in *turns*: a wake-up of the loop brings datagrams (`udp`), answers of the
store or a timer; `edge.Edge` hands each to the proxy core, which queues what is to be sent. At the end of the turn
the evidence of all verdicts reached in it is written, then the queue leaves. One timer serves all SIP timers. With
several workers on one address, `handover` passes a message to the worker its Call-ID names, so that a call's
messages meet in one process (`parcels`: what is passed; `sibling`: the way to one worker; `links`: the loop's side).
`tasks` is where background tasks are spawned: it keeps a reference and reports their failure.

TCP and TLS: `stream` takes connections within limits, `connection` is one of them, `path` the way to an address and
the connections made for it, `tls` the certificates, `stream_user` what all of them ask of the edge. `dns` looks names
up (`dns_cache` keeps the answers), `locate` is RFC 3263's way from a next hop's name to addresses.

May import `proxy`, `transaction` and `sip`; it knows neither rules nor stores.
"""

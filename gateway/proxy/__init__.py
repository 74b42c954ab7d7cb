"""The RFC 3261 §16 proxy: validate, route, forward, respond, cancel, fail over, and the dialog cookie.

Theory of operation
-------------------
`core.ProxyCore` has the few verbs the shell calls: `receive` a datagram, `admit` or `refuse` a parked call, `expire` timers.
It never waits: an initial INVITE is handed to the gate (an injected port) and stays parked as a `call.Call` until
the gate's word comes back; everything else is done within the call to `receive`. What is to be sent goes through
`TransactionLayer.send`; time comes in as `now` (monotonic seconds).

    receive ── response ─► client transaction ─► call.Call / transit.Transit ─► server transaction
            └─ request ──► server transaction (retransmission, ACK, CANCEL)
                        └► validate (§16.3) ─► route (§16.4) ─┬─ in a dialog: cookie ─► transit / call (re-INVITE)
                                                              └─ out of a dialog: INVITE ─► gate ─► call ─► forward (§16.6)

No dialog state is kept: `cookie` puts what must be remembered, under a keyed MAC, into Record-Route.
"""

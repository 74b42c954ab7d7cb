"""The RFC 3261 §16 proxy: validate, route, forward, respond, cancel, fail over, and the dialog cookie.

Theory of operation
-------------------
`core.ProxyCore` has the few verbs the shell calls: `receive` a datagram, `expire` timers; the gate calls `admit` or
`refuse` of a parked `call.Call`. The core never waits: an initial INVITE is handed to the gate (an injected port) and
stays parked until the gate's word comes back; everything else is done within the call to `receive`. What is to be sent
goes through `TransactionLayer.send`; time comes in as `now` (monotonic seconds).

    receive ── response ─► client transaction ─► invite_branch / transit ─► upstream (§16.7) ─► server transaction
            └─ request ──► server transaction (retransmission, ACK, CANCEL)
                        └► validate (§16.3) ─► route (§16.4) ─┬─ in a dialog: cookie ─► transit / call (re-INVITE)
                                                              └─ else INVITE ─► gate ─► call ─► forward (§16.6)

No dialog state is kept: `cookie` puts what must be remembered, under a keyed MAC, into Record-Route.
"""

"""The RFC 3261 / RFC 6026 transaction machines: tables, timers, matching keys.

Theory of operation
-------------------
`machines` holds the four state machines as tables that can be read beside the RFC's figures: (state, event) to
(next state, actions). `transactions` holds the two kinds of transaction that run on them, `timers` one queue of timers
for all of them, `keys` the matching rules of §17.1.3 and §17.2.3, and `layer` the two lookup tables with their bounds.

Nothing here reads a clock or a socket: every call that depends on time takes `now` (seconds of a monotonic clock), and
what is to be sent goes through an injected function. A test of timer B passes `now=32.0` and takes microseconds.
"""

"""The gate: may this call go on, and the evidence of why.

Theory of operation. `attempt.read_attempt` turns an initial INVITE into a `CallAttempt`: one caller number
(`identity` and what it reads: `userpart`, `identity_headers`, `agreement`, `privacy`, `passport`), one callee
(`callee`), and the `Facts` of memory. `gate.Gate` decides: an emergency call passes first; then the `engine` asks
the pack's rules on memory; only if none refuses does the call wait (`waiting`) for one answer of the store, and the
remaining rules are asked. `settling` makes a verdict (`decision`) of their ruling, which is delivered after its record
was written (`ledger`, `recorder`, `evidence`, `records`): evidence comes before the message it is about. Subscriber
numbers leave this package only hashed (`pseudonym`) or sealed (`seal`, `sealed`).

`screen` holds what leaves, in and out of dialogs, against the verified number. `pack_read` reads rule
packs. `explain` and `replay` are the same code on a made-up call and on recorded facts.

May import `policies`, `registry`, `sip` and `store.ports`; no socket and no driver.
"""

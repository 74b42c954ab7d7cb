"""PostgreSQL, the system of record: schema, migrations, and one file of queries per subject.

Theory of operation. Every change goes through one transaction that writes its rows, an audit row and an
outbox row (`outbox.announce`). Consents and refusals carry the id of the outbox row that changed them last
(`change`), so the projector finds what a row of the outbox means without a list in it, whether one row or a
million changed. Callee numbers stand here as keyed hash (8 bytes) and sealed (AES-GCM), never in clear.
"""

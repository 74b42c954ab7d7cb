"""What is kept, and where.

Theory of operation. PostgreSQL (`sql`) is the system of record: registry, packs, consents, refusals, evidence.
Redis (`redis`) is a projection of it that workers read on the path of a call; it can be rebuilt at any time, and
data that is not provably whole counts as unavailable, never as "no consent". The journal (`journal`) is each
worker's append-only, hash-chained file of evidence, written before a message leaves and shipped to PostgreSQL
later. `embedded` runs private real servers from wheels where no URL is configured, so there is one SQL dialect and
one cache, no stand-ins. `ports` is what the gate asks of all this, without knowing who answers.
"""

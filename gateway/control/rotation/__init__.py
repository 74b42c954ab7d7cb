"""Rotation of the keys that subscriber numbers are stored with.

`run` takes a deployment from one pair of keys (pseudonym, seal) to the next, `store.sql.rotation` being what it does in
PostgreSQL; `nodes` knows from Redis what workers hold and heads say; `retire` what an old key is still needed for. A
worker uses the pseudonym key that the head names (`gate.pseudonym`), so nothing has to be told to it at the switch.
"""

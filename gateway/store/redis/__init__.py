"""Redis: the projection the workers read on the call path.

Theory of operation. PostgreSQL is the system of record; the projector writes what `layout` describes, the
workers read it. A worker owns one `client.RedisLink`. `lookup.RedisLookup` asks for the consent and the
refusals of a callee over it, all asks of one turn of the event loop in one write, of the dataset that `asked_of`
names, within their `deadlines`. `snapshot.SnapshotWatcher` polls the head over the same link for new registry versions
and dataset epochs. What is not proven to be the current dataset (its epoch's marker missing or other) is *unavailable*,
never "no consent" or "no refusal".
"""

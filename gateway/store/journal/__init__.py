"""The worker's evidence journal: append-only files, chained by hash.

Theory of operation. One directory per worker, `<state>/journal/<node>-<worker>`, holds segments `00000001.jnl`,
`00000002.jnl`, ... A segment is text: a header line, then one line per record. A line is the payload (JSON), a tab,
32 hex digits, a newline. The digits of a record's line are

    chain(n) = blake2b-128(chain(n-1) as its 32 hex digits + payload)

so altering, dropping or moving any record breaks the chain from there on; `printf %s%s PREVIOUS PAYLOAD | b2sum -l
128` checks one line by hand. The header names the journal, the segment, the number of its first record and the
chain so far; its own digits cover itself and are no link of the chain, so the chain runs through the records alone
and can be checked again where they are shipped to. Records are numbered from 1 over the whole journal.

Beside the segments: `head` (the last record on disk), `calls` (the calls that are up), `gaps` and `set-aside/` (parts
that cannot be read any more), `lock`.

Who does what: `writer` appends (one write(2) per turn of the loop), `syncer` makes it durable in a thread, `recovery`
opens a journal after whatever happened to it, `reader` feeds the shipper, `verify` proves that it is whole, `aside`
puts on record what is not.
"""

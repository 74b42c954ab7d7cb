"""The registry as a worker holds it: trunks, operators, number ranges and the numbering plan, in memory.

The control plane writes a `Snapshot` (plain values, `model`); a worker compiles it into a `Registry` and
swaps it whole. Digits become one canonical number in `numbering` (the form they came in is kept), numbers
find their range in `ranges` (sorted arrays), packets find their trunk in `sources`, and `validate` says
what is wrong before anything is put in force. Pure: no I/O, no clock; whoever asks gives the time."""

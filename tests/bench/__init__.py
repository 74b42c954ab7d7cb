"""What a call costs: `python -m tests.bench` (= `make bench`), see `__main__`.

    deployment      addresses, numbers and consents that every subject is given
    subject_*       what is measured: Callgate, Kamailio as an equal gate, a bare relay as the floor
    proof           that a subject passes what it should and refuses what it should
    load            one SIPp run in steady state: processor time and memory per process
    highest         the highest rate with fewer than 0.1 % failed calls
    delay           a load generator of our own: INVITE in to INVITE out, by the kernel's time stamps
    macro, report   the order of the runs; the table and the JSON file
    long            scale, capacity, soak: tables of what these find
    scale_data      cost of a call by amount of consents and ranges; `bulk` loads them, `stores` asks what they take
    scale_calls     cost of a call by calls up at once, and the worker's memory; `probe`: how long it may be deaf
    capacity        what 10,000 calls/s and 600 million refusals need
    soak            does anything grow?
    micro_*         single steps of the call path, each a program of its own
"""

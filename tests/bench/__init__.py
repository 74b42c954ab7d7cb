"""What a call costs: `python -m tests.bench` (= `make bench`), see `__main__`.

    deployment      addresses, numbers and consents that every subject is given
    subject_*       what is measured: Callgate, Kamailio as an equal gate, a bare relay as the floor
    proof           that a subject passes what it should and refuses what it should
    load            one SIPp run in steady state: processor time and memory per process
    highest         the highest rate with fewer than 0.1 % failed calls
    delay           a load generator of our own: INVITE in to INVITE out, by the kernel's time stamps
    macro, report   the order of the runs; the table and the JSON file
    micro_*         single steps of the call path, each a program of its own
"""

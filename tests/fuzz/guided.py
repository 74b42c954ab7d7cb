"""Coverage-guided fuzzing of the parser, the gate's reading and the screen: `make fuzz [FUZZ_S=seconds]`.

    python -m tests.fuzz.guided SECONDS [CORPUS]

Atheris (libFuzzer) grows a corpus from the torture messages, the bypass tables and SIP's words. Each input goes through
the parser's oracle (`oracle`); an INVITE that a gate would let out also through the gate, after which what leaves must
read back as the gated numbers. A finding ends the run with exit code 77 and the input in `var/fuzz/crash-…`; the corpus
stays in `var/fuzz/corpus` for the next run.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gateway.sip", "gateway.gate", "gateway.registry"]):
    from gateway.sip import RemoteProtocolError, Request, parse
    from tests.fuzz.gate_oracle import check_gate

from tests.fuzz.calls import retargeted, tabled
from tests.fuzz.oracle import check
from tests.fuzz.strategies import SEAMS, SEEDS

STATE = Path("var/fuzz")
MAX_LEN = 4_096
INPUT_S = 2
"""Seconds for one input: libFuzzer calls a longer one a finding."""


def one_input(data: bytes) -> None:
    """What libFuzzer calls."""
    check(data)
    try:
        message = parse(data)
    except RemoteProtocolError:
        return
    if isinstance(message, Request):
        check_gate(message)


def write_seeds(directory: Path) -> None:
    """The seed corpus, a file each."""
    directory.mkdir(parents=True, exist_ok=True)
    cases = tabled(b"SIP/2.0/UDP 127.0.0.2:5060", "127.0.0.2:5060", "127.0.0.1:5060")
    for number, data in enumerate([*SEEDS, *cases, *retargeted("127.0.0.1:5060")]):
        (directory / f"seed-{number:04}").write_bytes(data)


def write_words(path: Path) -> None:
    """SIP's words, as a libFuzzer dictionary."""
    words = [word for word in SEAMS if 0 < len(word) <= 64]
    words += [b"P-Asserted-Identity: ", b"Privacy: id", b";user=phone", b"anonymous.invalid", b"+8657112340001"]
    lines = ("".join(f"\\x{octet:02x}" for octet in word) for word in words)
    path.write_text("".join(f'"{line}"\n' for line in lines))


def main() -> None:
    """Run for the given seconds."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    corpus = Path(sys.argv[2]) if len(sys.argv) > 2 else STATE / "corpus"
    write_seeds(corpus)
    STATE.mkdir(parents=True, exist_ok=True)
    words = STATE / "words"
    write_words(words)
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_LEN}", f"-timeout={INPUT_S}", f"-dict={words}"]
    options += [f"-artifact_prefix={STATE}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

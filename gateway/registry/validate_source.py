"""What is wrong with how trunks are recognised: sources, ports, transports, TLS names, digest accounts; and two trunks
that could take the same message."""

from __future__ import annotations

from gateway.registry.checks import host, one_of
from gateway.registry.model import DigestAccount, Trunk
from gateway.registry.sources import overlap, parse_source, trunk_sources

ALGORITHMS = ("SHA-256", "SHA-512-256", "MD5")
"""Of digest accounts, in the order they are offered (RFC 8760 §2.4)."""

TRANSPORTS = ("udp", "tcp", "tls")

MAX_ACCOUNTS = 1_000
"""Of one trunk: every worker keeps all of them in memory."""

MAX_QUOTED = 64
"""Characters of a user or realm: both are hashed and written with every call."""


MAX_HEADER = 64
"""Characters of the header a trunk states purposes in."""


def check_purposes(trunk: Trunk) -> list[str]:
    """What is wrong with where its calls come from, and with the header it states purposes in. That begins with `X-`,
    so that it is never one that means something to somebody else."""
    where = f"trunk {trunk.id}"
    problems = one_of(f"{where}.origin", trunk.origin, ("domestic", "foreign"))
    name = trunk.purpose_header
    if not name:
        return problems
    rest = name[2:].replace("-", "")
    if name[:2] not in ("X-", "x-") or len(name) > MAX_HEADER or not (rest.isascii() and rest.isalnum()):
        problems.append(f"{where}.purpose_header: {name!r:.80}: write X- with letters and digits, e.g. X-Purpose")
    if trunk.side != "access":
        problems.append(f"{where}.purpose_header: on a core trunk: calls of the carrier have no purpose: leave it out")
    return problems


def check_source(trunk: Trunk) -> list[str]:
    """What is wrong with one trunk's."""
    where = f"trunk {trunk.id}"
    problems = []
    if not trunk.sources and not trunk.digest:
        problems.append(
            f"{where}.sources: empty: list the addresses it sends from, e.g. 127.0.0.2, or give it digest accounts"
        )
    problems += [
        f"{where}.sources: {text!r}: write an address or a network without host bits, e.g. 10.0.0.0/8"
        for text in trunk.sources
        if parse_source(text) is None
    ]
    problems += [f"{where}.ports: {port}: write a port 1-65535" for port in trunk.ports if not 1 <= port <= 65_535]
    for transport in trunk.transports:
        problems += one_of(f"{where}.transports", transport, TRANSPORTS)
    problems += [
        f"{where}.tls_names: {name!r}: write a domain or address of its certificate, in lower case, e.g. sbc.example"
        for name in trunk.tls_names
        if not host(name) or name != name.lower() or name.endswith(".")
    ]
    if trunk.tls_names and trunk.transports and "tls" not in trunk.transports:
        problems.append(f"{where}.transports: {', '.join(trunk.transports)}: tls_names need tls among them")
    if trunk.digest and trunk.side != "access":
        problems.append(f"{where}.digest: on a core trunk: a carrier is recognised by its sources: leave it out")
    if len(trunk.digest) > MAX_ACCOUNTS:
        problems.append(f"{where}.digest: {len(trunk.digest)} accounts: keep at most {MAX_ACCOUNTS} in one trunk")
    if trunk.digest and not trunk.algorithms:
        problems.append(f"{where}.algorithms: empty: write at least one of {', '.join(ALGORITHMS)}")
    for algorithm in trunk.algorithms:
        problems += one_of(f"{where}.algorithms", algorithm, ALGORITHMS)
    for account in trunk.digest:
        problems += _account(where, account)
    return problems


def _account(where: str, account: DigestAccount) -> list[str]:
    problems = [
        f"{where}.digest {name}: {value!r}: write 1-{MAX_QUOTED} printable ASCII characters, no quote, backslash, colon"
        for name, value in (("user", account.user), ("realm", account.realm))
        if not _quotable(value)
    ]
    for algorithm, sealed in account.secrets:
        problems += one_of(f"{where}.digest secrets", algorithm, ALGORITHMS)
        if not sealed:
            problems.append(f"{where}.digest secrets: '': write what `callgate export registry` wrote, or leave it out")
    return problems


def _quotable(value: str) -> bool:
    """May stand in a quoted-string as it is; a colon would let two users have one H(A1) (RFC 7616 §3.4.2)."""
    return 0 < len(value) <= MAX_QUOTED and value.isascii() and value.isprintable() and not set(value) & set('"\\:')


def check_overlaps(trunks: tuple[Trunk, ...]) -> list[str]:
    """Pairs that could take the same message. A smaller network, and a named listener before any, decide between two
    sources; where these are the same, port, transport or TLS names must."""
    return _by_source(trunks) + _by_account(trunks)


def _by_source(trunks: tuple[Trunk, ...]) -> list[str]:
    owners: dict[tuple[str, int, int, int], list[Trunk]] = {}
    problems = []
    for source in (source for trunk in trunks if not trunk.digest for source in trunk_sources(trunk)):
        others = owners.setdefault(source.key, [])
        for other in others:
            shared = overlap(other, source.trunk) if other.id != source.trunk.id else ""
            if shared:
                problems.append(
                    f"trunk {source.trunk.id}.sources: {source.network}: trunk {other.id} has it on the same "
                    f"listener too ({shared}): take it from one of them, or give them different listeners, ports, "
                    "transports or tls_names"
                )
        others.append(source.trunk)
    return problems


def _by_account(trunks: tuple[Trunk, ...]) -> list[str]:
    """Digest trunks that meet on a listener: one realm, since the challenge comes before the user name; one trunk for
    each user."""
    realms: dict[str, tuple[str, str]] = {}
    users: dict[tuple[str, str], str] = {}
    problems = []
    digest = [trunk for trunk in trunks if trunk.digest]
    everywhere = {name for trunk in digest for name in trunk.listeners} | {""}
    for trunk in digest:
        for account in trunk.digest:
            for listener in trunk.listeners or sorted(everywhere):
                realm, first = realms.setdefault(listener, (account.realm, trunk.id))
                if realm != account.realm:
                    problems.append(
                        f"trunk {trunk.id}.digest realm: {account.realm!r}: trunk {first} has {realm!r} on the same "
                        "listener: write one realm, or give them different listeners"
                    )
                    break
                owner = users.setdefault((listener, account.user), trunk.id)
                if owner != trunk.id:
                    problems.append(
                        f"trunk {trunk.id}.digest user: {account.user!r}: trunk {owner} has it on the same listener: "
                        "give each trunk users of its own"
                    )
                    break
        names = [account.user for account in trunk.digest]
        problems += [
            f"trunk {trunk.id}.digest user: {name!r}: is in it twice: keep one"
            for name in sorted(set(names))
            if names.count(name) > 1
        ]
    return problems

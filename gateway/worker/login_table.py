"""The registry's digest accounts as the proxy needs them: for each listener, who may log in there and with what."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.gate.seal import Sealer, SealError
from gateway.proxy.authenticate import Account
from gateway.proxy.logins import Unproven
from gateway.proxy.peer import Source
from gateway.registry.model import DigestAccount, Trunk
from gateway.registry.registry import Registry
from gateway.registry.sources import takes
from gateway.registry.validate_source import ALGORITHMS


class LoginTable:
    """Of one registry version. Immutable."""

    def __init__(self, registry: Registry, listeners: Sequence[str], sealer: Sealer) -> None:
        self.unreadable: list[tuple[str, str]] = []
        """(trunk, user) of accounts that were sealed with a key that is not there: nobody can log in with these."""
        self._sealer = sealer
        trunks = [trunk for trunk in registry.trunks if trunk.digest]
        accounts = {trunk.id: self._accounts(trunk) for trunk in trunks}
        self._strangers: dict[str, Unproven] = {}
        for name in listeners:
            here = [trunk for trunk in trunks if not trunk.listeners or name in trunk.listeners]
            if here:
                self._strangers[name] = _strangers(name, here, accounts)

    def strangers(self, listener: str) -> Unproven | None:
        """Those of a listener who may log in; None where no digest trunk is on it."""
        return self._strangers.get(listener)

    def _accounts(self, trunk: Trunk) -> dict[bytes, Account]:
        found = {}
        for account in trunk.digest:
            try:
                secrets = self._secrets(trunk, account)
            except SealError:
                self.unreadable.append((trunk.id, account.user))
                continue
            found[account.user.encode()] = Account(trunk.id, secrets)
        return found

    def _secrets(self, trunk: Trunk, account: DigestAccount) -> dict[bytes, bytes]:
        allowed = [(name, sealed) for name, sealed in account.secrets if name in trunk.algorithms]
        return {name.encode(): self._sealer.open(sealed) for name, sealed in allowed}


def may_log_in(trunk: Trunk, source: Source) -> bool:
    """True when who sends from here may be this digest trunk (`registry.sources.takes`)."""
    listener = source.reply.listener.name
    transport = source.reply.name.rpartition("/")[2]
    return takes(trunk, listener, source.host.decode(), source.port, transport, source.identities)


def _strangers(listener: str, trunks: list[Trunk], accounts: dict[str, dict[bytes, Account]]) -> Unproven:
    merged = {user: account for trunk in trunks for user, account in accounts[trunk.id].items()}
    used = {algorithm for account in merged.values() for algorithm in account.secrets}
    offered = tuple(name.encode() for name in ALGORITHMS if name.encode() in used)
    return Unproven(listener, trunks[0].digest[0].realm.encode(), merged, offered, _may_try(trunks, bool(offered)))


def _may_try(trunks: list[Trunk], anybody: bool) -> Callable[[Source], bool]:
    """Without a secret nobody can log in, and nobody is asked to."""

    def may_try(source: Source) -> bool:
        return anybody and any(may_log_in(trunk, source) for trunk in trunks)

    return may_try

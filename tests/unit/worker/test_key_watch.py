"""A worker reads its key file again, and tells the others which keys it holds."""

from __future__ import annotations

from pathlib import Path

from gateway.gate.pseudonym import PseudonymRing
from gateway.gate.seal import Sealer, sealed_with
from gateway.key_ring import KeyFile, with_new_keys, write
from gateway.keys import load_or_create
from gateway.store.redis.connection import OnReplies
from gateway.store.redis.held_keys import EVERY_S, REPORTS, read_reports
from gateway.worker.key_watch import KeyWatch


class Told:
    """A link that keeps what is sent; up or down."""

    def __init__(self) -> None:
        self.up = True
        self.words: list[list[bytes]] = []

    def send(self, commands: bytes, n_replies: int, callback: OnReplies) -> bool:
        if self.up:
            self.words.append(commands.split(b"\r\n")[2::2])
        return self.up


def test_a_new_key_is_held_at_once_and_used_when_a_head_names_it(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = load_or_create(path)
    ring, sealer, link = PseudonymRing([keys.pseudonym]), Sealer(keys.seal_id, keys.seal), Told()
    watch = KeyWatch(KeyFile(path, keys), keys, ring, sealer, link, REPORTS, "n-0")
    link.up = False
    watch.look(100.0)
    link.up = True
    watch.look(101.0)
    watch.look(101.0 + EVERY_S - 1)
    assert len(link.words) == 1, "told when it can be, then now and then"
    watch.look(101.0 + EVERY_S)
    assert [words[:3] for words in link.words] == [[b"HSET", REPORTS, b"n-0"]] * 2

    longer = with_new_keys(keys)
    write(path, longer)
    watch.look(107.0)
    report = read_reports({b"n-0": link.words[-1][3], b"other": b"no report", b"\xff": b"{}"})["n-0"]
    old, new = (key.check.hex() for key in reversed(longer.pseudonyms))
    assert (report.at, report.pseudonym, report.in_use) == (107.0, (new, old), old)
    assert report.seal == tuple(key.check.hex() for key in longer.seals)
    assert sealed_with(sealer.seal(b"x")) == 2
    assert ring.use(new.encode(), 1)
    watch.look(108.0)
    assert read_reports({b"n-0": link.words[-1][3]})["n-0"].in_use == new

    path.write_bytes(b"{")
    watch.look(109.0)
    assert len(link.words) == 4 and ring.checks == (new.encode(), old.encode()), "the keys stay as they were"
    assert all(key.secret.hex().encode() not in words[3] for key in longer.pseudonyms for words in link.words)
    watch.leave()
    assert link.words[-1] == [b"HDEL", REPORTS, b"n-0"]

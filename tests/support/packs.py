"""Rule packs made of the example's: another id, other calls, other words for a rule."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gateway.gate.pack_read import load_pack

EXAMPLE = (Path(__file__).parents[2] / "config/packs/example.toml").read_text(encoding="utf-8")
LABEL = load_pack(EXAMPLE, "example.toml").label
"""What the example's is called: a changed text is another version, so no test repeats the number."""
VERSION = int(LABEL.partition("@")[2])
_RULES = EXAMPLE[EXAMPLE.index("[[rule]]") :]
_NEXT = re.compile(r"^\[\[", re.MULTILINE)


def pack_text(
    pack_id: str = "example",
    version: int = 1,
    *,
    trunks: Sequence[str] = (),
    classes: Sequence[str] = (),
    **rules: str,
) -> str:
    """The example's pack under this name. `rules`: rule (`consent_missing`) to what stands below its `id` instead."""
    head = f'id = "{pack_id}"\nversion = {version}\n'
    if trunks or classes:
        head += f"[binds]\ntrunks = {list(trunks)}\nclasses = {list(classes)}\n"
    text = head + _RULES
    for name, words in rules.items():
        text = _with_rule(text, name.replace("_", "-"), words)
    return text


def _with_rule(text: str, rule: str, words: str) -> str:
    begin = text.index("\n", text.index(f'\nid = "{rule}"') + 1) + 1
    following = _NEXT.search(text, begin)
    end = following.start() if following is not None else len(text)
    return f"{text[:begin]}{words}\n{text[end:]}"

"""The rules for a user of Redis as the documentation states them."""

import re
from pathlib import Path

__all__ = ["PAGE", "documented_rules"]

PAGE = Path(__file__).parents[2] / "docs" / "redis.md"


def _line(start: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(rf"^{start} (.*)$", text, re.MULTILINE)
    assert len(found) == 1, f"docs/redis.md has {len(found)} lines that begin with {start!r}"
    return found[0].split()


def documented_rules(prefix: str) -> list[str]:
    """Those of the one line in docs/redis.md, with this prefix, without the password."""
    rules = _line("ACL SETUSER nbchannels on")
    assert rules.pop(0).startswith(">")
    return [rule.replace("nbchannels:", f"{prefix}:") for rule in rules]

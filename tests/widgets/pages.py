"""What the page's source says of the options of a kind of view."""

import json
import re
from pathlib import Path
from typing import Any

VIEWS = Path(__file__).parents[2] / "labextension" / "src" / "views"


def defaults(kind: str) -> dict[str, Any]:
    """The defaults of a kind, as its ``options.ts`` writes them."""
    text = (VIEWS / kind / "options.ts").read_text(encoding="utf-8")
    block = text[text.index("export const DEFAULTS") :]
    found = re.findall(r"^  (\w+): (.+?),?$", block[: block.index("};")], re.MULTILINE)
    return {name: json.loads(_quoted(value)) for name, value in found}


def _quoted(value: str) -> str:
    """A value as TypeScript writes it, as JSON does."""
    plain = re.sub(r"(?<=\d)_(?=\d)", "", value.replace("'", '"'))
    return re.sub(r"(\w+):", r'"\1":', plain)

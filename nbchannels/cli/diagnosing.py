"""``nbchannels doctor``: what is wrong, and what to do about it."""

from nbchannels.cli.terminal import Style, escaped
from nbchannels.cli.writing import Output
from nbchannels.kernel.doctor import Finding, Mark, examine

__all__ = ["diagnose"]

_SIGNS: dict[Mark, tuple[str, str, Style]] = {
    "problem": ("✗", "x", "bad"), "warning": ("!", "!", "warning"), "ok": ("✓", "+", "good"),
}  # fmt: skip


def diagnose(out: Output, *, json: bool = False) -> bool:
    """Print the findings, problems first; whether there is no problem.

    Args:
        out: where to.
        json: a list of objects: ``mark``, ``what``, ``remedy``.
    """
    order = list(_SIGNS)
    findings = sorted(examine(), key=lambda found: order.index(found.mark))
    if json:
        out.json([found._asdict() for found in findings])
    else:
        for found in findings:
            out.lines(_lines(found, out))
    return not any(found.mark == "problem" for found in findings)


def _lines(found: Finding, out: Output) -> list[str]:
    sign, plain, style = _SIGNS[found.mark]
    mark = out.paint(sign if out.is_unicode else plain, style)
    lines = [f"{mark} {escaped(' '.join(found.what.split()))}"]
    if found.remedy:
        arrow = "→" if out.is_unicode else "->"
        lines.append(f"    {arrow} {escaped(' '.join(found.remedy.split()))}")
    return lines

"""From times to ratios, verdicts and a table: pure functions."""

import math
import statistics
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

WIDTH = 96
FIRST, CLOSE = 20, 1e-3  # how many first losses both sides must share, and how nearly


class Ratio(NamedTuple):
    """Ours over a peer in the unit of the row, from pairs of the same round."""

    median: float
    low: float
    high: float

    @property
    def resolved(self) -> bool:
        """False where the pairs fall on both sides of 1: the difference is smaller than their spread."""
        return self.low > 1 or self.high < 1


class Target(NamedTuple):
    """What a ratio to every peer ought to be."""

    bound: float
    least: bool  # True: at least `bound`; False: at most


def ratio(ours: Sequence[float], peer: Sequence[float]) -> Ratio:
    """Median, least and largest of the ratios of paired figures.

    >>> ratio([2.0, 6.0, 3.0], [1.0, 2.0, 2.0])
    Ratio(median=2.0, low=1.5, high=3.0)
    """
    pairs = [a / b for a, b in zip(ours, peer, strict=True)]
    return Ratio(statistics.median(pairs), min(pairs), max(pairs))


def agreement(ours: Sequence[float], peer: Sequence[float]) -> float:
    """The largest difference, relative to losses above 1; not finite where a loss is not.

    A Wasserstein loss passes through zero, and a relative difference there would measure how nearly it was met.

    >>> agreement([1.0, 2.0], [1.0, 1.5])
    0.25
    """
    apart = (abs(a - b) / max(abs(a), 1) if math.isfinite(a - b) else math.inf for a, b in zip(ours, peer, strict=True))
    return max(apart)


def met(target: Target, ratios: Mapping[str, Ratio]) -> bool | None:
    """Whether the median ratio to every peer is what it ought to be; None without a peer."""
    if not ratios:
        return None
    return all(r.median >= target.bound if target.least else r.median <= target.bound for r in ratios.values())


def row(
    name: str,
    title: str,
    unit: str,
    figures: Mapping[str, Sequence[float]],
    *,
    target: Target | None = None,
    beside: Collection[str] = (),
    skipped: Mapping[str, str] | None = None,
    compile_s: Mapping[str, float] | None = None,
    peak_mib: Mapping[str, float] | None = None,
    limit_fraction: float | None = None,
    notes: Sequence[str] = (),
    **more: Any,
) -> dict[str, Any]:
    """A row as JSON holds it.

    Args:
      name: of the row.
      title: what was measured, in words.
      unit: of the figures.
      figures: by variant, one per round; "ours" is one of them.
      target: for the ratios.
      beside: peers that the target does not speak of.
      skipped: variants that were left out, and why.
      compile_s: by variant.
      peak_mib: the most memory that each variant's process held.
      limit_fraction: of the ceiling measured in the same run.
      notes: lines to print below.
      more: further entries.
    """
    peers = [variant for variant in figures if variant != "ours"]
    ratios = {peer: ratio(figures["ours"], figures[peer]) for peer in peers}
    compile_s = dict(compile_s or {})
    found = {
        "name": name,
        "title": title,
        "unit": unit,
        "ours": statistics.median(figures["ours"]),
        "peers": {peer: statistics.median(figures[peer]) for peer in peers},
        "ratio": {peer: r.median for peer, r in ratios.items()},
        "ratio_range": {peer: [r.low, r.high] for peer, r in ratios.items()},
        "resolved": {peer: r.resolved for peer, r in ratios.items()},
        "limit_fraction": limit_fraction,
        "compile_s": compile_s.pop("ours", None),
        "peers_compile_s": compile_s,
        "peak_mib": dict(peak_mib or {}),
        "rounds": len(figures["ours"]),
        "figures": {variant: list(values) for variant, values in figures.items()},
        "skipped": dict(skipped or {}),
        "notes": list(notes),
        **more,
    }
    if target is not None:
        aimed = {peer: r for peer, r in ratios.items() if peer not in beside}
        found["target"] = {**target._asdict(), "peers": list(aimed), "met": met(target, aimed)}
    return found


def table(found: Mapping[str, Any]) -> str:
    """A row as text of at most 96 columns."""
    unit, seconds = found["unit"], found["unit"] == "s"
    lines = [f"{found['name']}: {found['title']}"]
    lines.append(f"  {'':<14}{unit:>9}{'best':>9}{'worst':>9}{'compile s':>10}{'MiB':>8}  ours / peer")
    for variant, values in found["figures"].items():
        best, worst = (min(values), max(values)) if seconds else (max(values), min(values))
        compiled = found["compile_s"] if variant == "ours" else found["peers_compile_s"].get(variant)
        columns = "".join(f"{number(value):>9}" for value in (statistics.median(values), best, worst))
        columns += f"{'' if compiled is None else f'{compiled:.1f}':>10}"
        columns += f"{number(found['peak_mib'][variant]) if variant in found['peak_mib'] else '':>8}"
        lines.append(f"  {variant:<14}{columns}{_said(found, variant)}")
    wrapped = [f"{variant}: skipped. {why}" for variant, why in found["skipped"].items()]
    if "target" in found:
        wrapped.append(verdict(found["target"]))
    for text in (*wrapped, *found["notes"]):
        lines += _wrap(text)
    return "\n".join(line.rstrip() for line in lines)


def number(value: float) -> str:
    """Four digits, thousands apart.

    >>> number(33123.4), number(1.23456), number(0.0123456)
    ('33,123', '1.235', '0.01235')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def verdict(target: Mapping[str, Any]) -> str:
    """The target in words.

    >>> verdict({"bound": 1.5, "least": True, "peers": ["torch eager"], "met": True})
    'target: at least 1.5 of torch eager: met'
    """
    said = {True: "met", False: "MISSED", None: "no peer to compare with"}[target["met"]]
    peers = " and ".join(target["peers"]) or "every peer"
    return f"target: at {'least' if target['least'] else 'most'} {target['bound']:.3g} of {peers}: {said}"


def _said(found: Mapping[str, Any], variant: str) -> str:
    if variant == "ours":
        return ""
    low, high = found["ratio_range"][variant]
    spread = f"({low:.3g} to {high:.3g})"
    return f"  {found['ratio'][variant]:.3g} {spread}" + ("" if found["resolved"][variant] else " not resolved")


def _wrap(text: str) -> list[str]:
    lines, line = [], " "
    for word in text.split():
        if len(line) + 1 + len(word) > WIDTH:
            lines, line = [*lines, line], "   "
        line = f"{line} {word}"
    return [*lines, line]

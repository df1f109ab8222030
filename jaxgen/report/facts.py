"""The section "How it was measured": the protocol of a comparison as pairs of names and texts."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from jaxgen.report import numbers, sentences

PROTOCOL = {
    "seconds_per_model": "Time of the main training, per model and seed",
    "steps": "Steps of training",
    "seeds": "Seeds",
    "batch_size": "Batch size",
    "parameters": "Parameters",
    "feature_space": "Feature space",
    "total_seconds": "Whole comparison",
    "device": "Device",
    "versions": "Versions",
}


def measured(protocol: Mapping, words: Mapping[str, str] = {}) -> list[tuple[str, Any]]:
    """(name, text) of each entry of `report["protocol"]`, in the order of `PROTOCOL`; other keys keep their own name.

    `words` describes each kind of steps, as `Extras.steps` does.
    """
    keys = [k for k in PROTOCOL if k in protocol] + [k for k in protocol if k not in PROTOCOL]
    out = []
    for name in (k for k in keys if k not in ("command", "sides", "stages")):
        value = protocol[name]
        if name in ("seconds_per_model", "total_seconds"):
            text = numbers.duration(value)
        elif isinstance(value, Mapping):
            lines = {inner: steps(it, words) if name == "steps" else numbers.plain(it) for inner, it in value.items()}
            text = Markup("<br>").join(f"{inner}: {line}" for inner, line in lines.items())
        else:
            text = numbers.plain(value)
        out.append((PROTOCOL.get(name) or sentences.spaced(name).capitalize(), text))
    return out


def steps(count: Any, words: Mapping[str, str]) -> str:
    """The range over seeds of the steps of a model, for each of its trainings that has any.

    >>> by_seed = {"0": {"main": 1300, "encoder": 0, "detect": 900}, "1": {"main": 1250, "encoder": 0, "detect": 900}}
    >>> steps(by_seed, {"main": "", "detect": "without a class"})
    '1,250 to 1,300; 900 without a class'
    """
    if not isinstance(count, Mapping):
        return numbers.plain(count)
    by_seed = list(count.values())
    parts = []
    for part in dict.fromkeys(name for steps in by_seed for name in steps):
        each = [steps.get(part, 0) for steps in by_seed]
        span = " to ".join(dict.fromkeys(map(numbers.plain, (min(each), max(each)))))
        if max(each):
            parts.append(f"{span} {words.get(part, sentences.spaced(part))}".rstrip())
    return "; ".join(parts)


def about(data: Mapping) -> str:
    """The number and kind of the examples, in a few words.

    >>> about({"kind": "image", "shape": [8, 8, 1], "splits": {"train": 1200, "test": 597}})
    '1,797 images of 8 × 8 pixels'
    """
    shape = list(data.get("shape", ()))
    examples = sum(data.get("splits", {}).values())
    kinds = {
        "image": f"images of {' × '.join(map(str, shape[:2]))} pixels{' in colour' if shape[2:] == [3] else ''}",
        "points": "points in the plane",
        "table": f"rows of {shape[0] if shape else '?'} columns",
    }
    return f"{examples:,} {kinds.get(data.get('kind', ''), 'examples')}" if examples else ""

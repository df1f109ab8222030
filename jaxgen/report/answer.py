"""The answer in words: the name of each setting, its verdict, and the sentence at the top of the report."""

from collections.abc import Mapping, Sequence

from jaxgen.report.sentences import listing, sentence

NAMES = {"vae": "the VAE", "gan": "the GAN", "hybrid": "the hybrid"}
VERDICTS = {
    "vae": "VAE",
    "gan": "GAN",
    "hybrid": "Hybrid",
    "either": "Equal",
    "neither": "Neither",
    "undecided": "Undecided",
}
LACKS = {
    "time": "the training was too short to decide {}: choose a larger --seconds-per-model",
    "seeds": "one seed gives no interval and therefore no answer for {}: run at least two seeds, better six",
    "models": "a choice needs models of two sides: name a VAE and a GAN with --models",
}


def called(setting: str, kind: str) -> str:
    """The name of a setting for the reader: it does not say "image" if the data are not of kind "image".

    >>> called("image synthesis", "table"), called("image synthesis", "image"), called("anomaly detection", "points")
    ('synthesis', 'image synthesis', 'anomaly detection')
    """
    return setting if kind == "image" else setting.removeprefix("image ")


def verdict(entry: Mapping) -> str | None:
    """The answer for one setting in one to three words, or None if there is none.

    >>> verdict({"choose": "either"}), verdict({"choose": "undecided", "lacks": "time"})
    ('Equal', 'Undecided: more time')
    >>> verdict({"choose": "not measured"}) is None
    True
    """
    return "Undecided: more time" if entry.get("lacks") == "time" else VERDICTS.get(entry["choose"])


def headline(advice: Sequence[Mapping], kind: str = "image") -> str:
    """One sentence that gives the answers for all measured settings, or says what an answer still needs.

    Args:
      advice: the entries of `report["advice"]`.
      kind: the kind of the data: "image", "table" or "points".

    >>> headline([{"setting": "image synthesis", "choose": "gan"}, {"setting": "style transfer", "choose": "either"}])
    'Choose the GAN for image synthesis; the sides are equal for style transfer.'
    """
    by: dict[str, list[str]] = {}
    for entry in advice:
        by.setdefault(entry.get("lacks") or entry["choose"], []).append(called(entry["setting"], kind))
    sides = [f"{NAMES[side]} for {listing(settings)}" for side, settings in by.items() if side in NAMES]
    clauses = [f"choose {' and '.join(sides)}"] if sides else []
    if "either" in by:
        clauses.append(f"the sides are equal for {listing(by['either'])}")
    if "undecided" in by:
        clauses.append(f"{listing(by['undecided'])} remained undecided with these seeds")
    if "neither" in by:
        clauses.append(f"a simple baseline is better than every model for {listing(by['neither'])}")
    for lack, clause in LACKS.items():
        if lack in by:
            everything = len(by[lack]) > 2 and not set(by) - {lack, "not measured"}
            clauses.append(clause.format("anything" if everything else listing(by[lack])))
    return sentence("; ".join(clauses) or "no setting was measured, so there is no answer") + "."

"""The answer in words: what each setting is called, its verdict, and the sentence above them all."""

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
    "time": "the run was too short to settle {}: give it a longer --seconds-per-model",
    "seeds": "one seed gives no interval, and so no answer for {}: run at least two, better six",
    "models": "there is nothing to choose between without models of two sides: name a VAE and a GAN with --models",
}


def called(setting: str, kind: str) -> str:
    """A setting as people read it: where the data (of that kind) are no images, nothing that is made is one.

    >>> called("image synthesis", "table"), called("image synthesis", "image"), called("anomaly detection", "points")
    ('synthesis', 'image synthesis', 'anomaly detection')
    """
    return setting if kind == "image" else setting.removeprefix("image ")


def verdict(entry: Mapping) -> str | None:
    """The answer for one setting in a word or two, or None where there is none.

    >>> verdict({"choose": "either"}), verdict({"choose": "undecided", "lacks": "time"})
    ('Equal', 'Undecided: more time')
    >>> verdict({"choose": "not measured"}) is None
    True
    """
    return "Undecided: more time" if entry.get("lacks") == "time" else VERDICTS.get(entry["choose"])


def headline(advice: Sequence[Mapping], kind: str = "image") -> str:
    """The answer on data of a kind as one sentence, of the settings that were measured, or what lacks for one.

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
        clauses.append(f"{listing(by['undecided'])} stayed undecided with these seeds")
    if "neither" in by:
        clauses.append(f"neither for {listing(by['neither'])}, where a simple baseline does better")
    for lack, clause in LACKS.items():
        if lack in by:
            everything = len(by[lack]) > 2 and not set(by) - {lack, "not measured"}
            clauses.append(clause.format("anything" if everything else listing(by[lack])))
    return sentence("; ".join(clauses) or "nothing was measured that decides between them") + "."

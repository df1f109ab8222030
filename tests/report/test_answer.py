from jaxgen.report.answer import VERDICTS, headline, verdict


def test_headline():
    # Kills: settings not measured in the sentence; sides exchanged; an empty sentence.
    def entry(setting, choose):
        return {"setting": setting, "choose": choose}

    assert headline([entry("a", "not measured")]) == "No setting was measured, so there is no answer."
    assert headline([]) == "No setting was measured, so there is no answer."
    assert headline([entry("a", "neither")]) == "A simple baseline is better than every model for a."
    mixed = [entry("a", "vae"), entry("b", "either"), entry("c", "gan"), entry("d", "vae"), entry("e", "not measured")]
    assert headline(mixed) == "Choose the VAE for a and d and the GAN for c; the sides are equal for b."


def test_undecided_is_no_equivalence():
    # Kills: "either will do" where an interval from -519 to 788 decided nothing.
    line = headline([{"setting": setting, "choose": "undecided"} for setting in "abc"])
    assert line == "A, b and c remained undecided with these seeds." and VERDICTS["undecided"] == "Undecided"
    assert headline([{"setting": "a", "choose": "hybrid"}]) == "Choose the hybrid for a."


def test_a_run_that_is_too_short_is_no_choice():
    # Kills: "Choose the VAE" above "Too short to decide anything"; a headline that does not say what to do.
    short = [{"setting": s, "choose": "undecided", "lacks": "time"} for s in "ab"]
    line = headline([*short, {"setting": "c", "choose": "not measured"}])
    assert line == "The training was too short to decide a and b: choose a larger --seconds-per-model."
    many = [{"setting": s, "choose": "undecided", "lacks": "time"} for s in "abc"]
    assert headline([*many, {"setting": "d", "choose": "not measured"}]).startswith(
        "The training was too short to decide anything:"
    )
    assert headline([*many, {"setting": "d", "choose": "gan"}]).startswith(
        "Choose the GAN for d; the training was too short to decide a, b and c"
    )
    assert verdict(short[0]) == "Undecided: more time" and verdict({"choose": "not measured"}) is None


def test_what_lacks_for_an_answer_is_the_last_word():
    # Kills: "nothing was measured" over tables of what was measured; a reason without what to do about it.
    alone = headline([{"setting": s, "choose": "not measured", "lacks": "models"} for s in "ab"])
    assert alone.startswith("A choice needs models of two sides: name a VAE and a GAN")
    once = headline([{"setting": s, "choose": "not measured", "lacks": "seeds"} for s in "ab"])
    assert once == "One seed gives no interval and therefore no answer for a and b: run at least two seeds, better six."
    part = headline([{"setting": "a", "choose": "gan"}, {"setting": "b", "choose": "not measured", "lacks": "seeds"}])
    assert part.startswith("Choose the GAN for a; one seed gives no interval and therefore no answer for b: ")


def test_what_is_no_image_is_not_called_one():
    # Kills: a table of numbers that is judged for "image synthesis" in the sentence that people read.
    entry = {"setting": "image synthesis", "choose": "gan"}
    assert headline([entry], "table") == headline([entry], "points") == "Choose the GAN for synthesis."
    assert headline([entry], "image") == "Choose the GAN for image synthesis."
    short = {"setting": "image synthesis", "choose": "not measured", "lacks": "time"}
    assert headline([short], "table").startswith("The training was too short to decide synthesis: ")

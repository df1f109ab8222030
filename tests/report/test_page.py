import copy
import json
import re
from html.parser import HTMLParser

import made_up
import numpy as np
import pytest

from jaxgen.report import Extras, Grid, render, write_report

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.open, self.seen, self.texts, self.tables, self.headings = [], [], [], [], []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"twice the same attribute on {tag}"
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append({"caption": "", "rows": []})
        if tag == "tr":
            self.tables[-1]["rows"].append([])
        if tag in ("td", "th"):
            self.tables[-1]["rows"][-1].append("")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append([tag, ""])

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, text):
        if "style" in self.open:
            return
        self.texts.append(text)
        if "caption" in self.open:
            self.tables[-1]["caption"] += text
        elif {"td", "th"} & set(self.open) and "svg" not in self.open:
            self.tables[-1]["rows"][-1][-1] += text + " "
        if self.headings and self.headings[-1][0] in self.open:
            self.headings[-1][1] += text

    def text(self):
        return " ".join(" ".join(self.texts).split())

    def attributes(self, name):
        return [attrs[name] for _, attrs in self.seen if name in attrs]

    def row(self, caption, model):
        (row,) = [r for r in self.table(caption)["rows"] if r[0].strip().startswith(model)]
        return row

    def table(self, caption):
        (table,) = [t for t in self.tables if re.match(re.escape(caption) + r"\s+[(↑↓↔]", t["caption"].strip())]
        return table


def numbers(text: str) -> list[float]:
    return [float(t.replace("−", "-").replace(",", "")) for t in re.findall(r"−?[\d,]*\.?\d+", text)]


@pytest.fixture(scope="module")
def html():
    return render(made_up.report(), made_up.extras())


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_one_file_without_network_and_small(html, page, tmp_path):
    # Kills: a web font, a script or a style sheet from elsewhere; an image that is not inside.
    assert "http" not in html and "url(" not in html and "@import" not in html
    tags = {tag for tag, _ in page.seen}
    assert not tags & {"script", "link", "iframe", "object", "embed"}
    assert page.attributes("src") and all(src.startswith("data:image/png;base64,") for src in page.attributes("src"))
    write_report(tmp_path / "report.html", made_up.report(), made_up.extras())
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == html
    assert len(html.encode()) < 400_000


def test_stays_under_five_megabytes_with_pictures_that_do_not_compress():
    # Kills: a share of bytes for each picture that ignores how many there are.
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 64, 3), np.uint8)
    report = made_up.report()
    report["data"] |= {"shape": [64, 64, 3]}
    grids = tuple(Grid(f"Group {i}", "", {f"m{j}": noise for j in range(9)}, columns=9) for i in range(3))
    html = render(report, Extras(grids))
    assert len(html.encode()) < 5_000_000
    assert html.count("<img") == 27


def test_structure(page):
    # Kills: an id used twice; a link into nothing; a table without caption or scope; an image without words; a skipped
    # level of headings.
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.attributes("href")} <= set(ids)
    assert all(href.startswith("#") for href in page.attributes("href"))
    assert all(table["caption"].strip() for table in page.tables) and len(page.tables) == 14
    assert all("scope" in attrs for tag, attrs in page.seen if tag == "th")
    assert all(attrs.get("alt") for tag, attrs in page.seen if tag == "img")
    for tag, attrs in page.seen:
        if attrs.get("role") == "img":
            assert tag == "svg" and attrs["aria-label"]
    levels = [int(tag[1]) for tag, _ in page.headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_answer_comes_first(page):
    # Kills: another order of the sections; a headline that is not the advice's.
    assert page.headings[0][1] == (
        "Choose the GAN for image synthesis and representation learning; a simple baseline is better than every "
        "model for anomaly detection."
    )
    text = page.text()
    order = ["Choose the GAN", "was not finished.", "Samples and other", "The figures, task by task", "With less time"]
    order += ["How it was measured", "Run it again", "jaxgen compare --repeat runs/compare-1", "Limits", "not FID"]
    assert sorted(order, key=lambda words: text.rindex(words)) == order


def test_every_figure_is_there(page):
    # Kills: a metric or a model left out; interval and mean exchanged; digits cut off; the reference of another metric.
    count = 0
    for model, tasks in made_up.report()["models"].items():
        for metrics in tasks.values():
            for metric, cell in metrics.items():
                row = page.row(metric, model.removeprefix("baseline: "))
                count += 1
                assert row[-1].split()[0] == str(cell["n"])
                assert (f"{cell['failed']} failed" in row[-1]) == bool(cell["failed"])
                if cell["mean"] is None or np.isnan(cell["mean"]):
                    assert row[1].strip().startswith("–")
                    continue
                low, high = cell["ci95"]
                seen = numbers(row[1])
                expected = [cell["mean"], low, high] if high > low else [cell["mean"]]
                np.testing.assert_allclose(seen, expected, rtol=1e-3, atol=0.17 * (high - low))
                if cell["reference"] is None:
                    assert "reference" not in page.table(metric)["rows"][-1][0]
                else:
                    (reference,) = numbers(page.table(metric)["rows"][-1][0])
                    np.testing.assert_allclose(reference, cell["reference"], atol=0.17 * (high - low))
    assert count == 33


def test_budget_and_protocol_are_there(page):
    # Kills: shares in another order; a model that is unfinished and not said to be; a key of the protocol dropped.
    text = page.text()
    rows = [row for table in page.tables if "25, 50 and 100" in table["caption"] for row in table["rows"]]
    budget = made_up.report()["budget"]
    for model, tasks in budget.items():
        for entry in tasks.values():
            at = [entry["at"][share] for share in ("25", "50", "100")]
            (row,) = [r for r in rows if r[0].strip() == model and f"{at[2]:.3g}"[:4] in r[3]]
            for value, seen in zip(at, row[1:4], strict=True):
                if value is None:
                    assert seen.strip() == "–"
                else:
                    np.testing.assert_allclose(numbers(seen), [value], rtol=5e-3)
            assert ("still improving" in row[4]) == entry["still_improving"]
    assert text.count("r3gan was still improving on “Make new examples” when its time ran out") == 2
    for words in (
        "90,656",
        "82,689",
        "4,512",
        "1,318",
        "2 min 41 s",
        "cpu, 2 cores",
        "0.10.2",
        "97.8 %",
        "Batch size 128",
        "seed 6 s",
    ):
        assert words in text, words
    for note in (*made_up.report()["notes"], *made_up.report()["data"]["notes"]):
        assert note in text


def test_a_row_read_without_its_encoder_is_told_under_its_table():
    # Kills: an AUROC of .500 at 100 % beside a headline of .84, and why only in the Limits; the line under every
    # table; "no clear gain" of a model that made eight rounds.
    report = made_up.report()
    assert "without an encoder" not in Page(render(report, made_up.extras())).text()
    report["budget"]["r3gan"]["represent"]["without_encoder"] = True
    report["budget"]["r3gan"]["synthesise"]["without_encoder"] = False
    for entry in report["budget"]["r3gan"].values():
        entry["hurried"] = True
    html = render(report, made_up.extras())
    under = html[html.index('id="budget"') :]
    under = under[under.index("</table>") : under.index("</section>")]
    assert "r3gan is measured here without an encoder" in under
    assert "on “Represent with few labels”, are measured with" in under
    ends = [r[4].strip() for t in Page(html).tables if "25, 50" in t["caption"] for r in t["rows"] if len(r) == 6]
    assert sorted(ends[1:]) == ["no clear gain"] * 2 + ["still improving", "too short to tell"]


def test_all_six_settings_and_those_not_measured_are_quiet(html, page):
    # Kills: settings without a measurement left out, or shown like the others.
    text = page.text()
    cards = re.findall(r'<li class="card ([^"]*)">\s*<h3>([^<]*)</h3>', html)
    advice = made_up.report()["advice"]
    assert sorted(name for _, name in cards) == sorted(entry["setting"] for entry in advice)
    assert {name for kind, name in cards if kind == "quiet"} == {
        entry["setting"] for entry in advice if entry["choose"] == "not measured"
    }
    assert all(entry["because"] in text for entry in advice)
    assert text.count("Not measured") == 3


def test_names_are_text_and_nothing_else():
    # Kills: autoescape off; Markup around a name; a name in an attribute without quoting.
    nasty = '<b onclick="x">é &amp; \'q\' " </script>'
    swap = {"vae": nasty, "frechet distance": nasty + "2", "digits": nasty + "3", "loss (nats)": nasty + "4"}
    swap |= {"3 examples of the test split also stand in the training split.": nasty + "5"}
    swap |= {"cpu, 2 cores": nasty + "6", "image synthesis": nasty + "7", "Make new examples": nasty + "8"}
    swap |= {
        "jaxgen compare --repeat runs/compare-1": nasty + "9",
        "Samples": nasty + "10",
        "pixel values": nasty + "11",
    }

    swap |= {note: nasty + str(12 + i) for i, note in enumerate(made_up.report()["notes"])}

    def exchange(x):
        if isinstance(x, dict):
            return {swap.get(k, k): exchange(v) for k, v in x.items()}
        if isinstance(x, list):
            return [exchange(v) for v in x]
        return swap.get(x, x) if isinstance(x, str) else x

    extras = made_up.extras()
    grids = tuple(
        Grid(swap.get(g.title, g.title), g.about, {swap.get(k, k): v for k, v in g.pictures.items()}, g.columns)
        for g in extras.grids
    )
    report = exchange(made_up.report())
    report["protocol"]["sides"] = {nasty: "vae", "r3gan": "gan"}
    html = render(report, Extras(grids, *map(exchange, extras[1:])))
    page = Page(html)
    assert not any("onclick" in attrs for _, attrs in page.seen)
    assert "<b onclick" not in html and "</script" not in html
    whole = " ".join(page.texts) + " ".join(page.attributes("aria-label"))
    for name in swap.values():
        assert name in whole, name


def test_what_is_not_a_number_is_a_dash_with_its_reason(page):
    # Kills: f"{nan}" on the page or in an SVG; a dash that does not say why.
    everything = [*page.texts, *(str(v) for _, attrs in page.seen for k, v in attrs.items() if k != "src")]
    assert not any(re.search(r"\b(nan|NaN|inf|Infinity|None)\b", text) for text in everything)
    assert "not a finite number" in " ".join(page.row("active latents", "r3gan"))
    assert "all 5 seeds failed" in " ".join(page.row("accuracy at 20 labels per class", "a random network"))


def test_missing_parts_leave_no_hole():
    # Kills: headings over nothing; a table for a metric nobody has; a crash where an entry is not there.
    report = made_up.report()
    for tasks in report["models"].values():
        tasks.pop("detect_anomalies", None)
    page = Page(render(report, made_up.extras()))
    assert "Find anomalies" not in page.text() and "AUROC" not in [t["caption"] for t in page.tables]
    assert len(page.tables) == 12

    bare = Page(render({"models": {}, "advice": []}, Extras()))
    assert [words for _, words in bare.headings if words][1:] == ["Setting by setting", "How it was measured", "Limits"]
    report = {key: made_up.report()[key] for key in ("models", "advice")}
    page = Page(render(report, Extras()))
    assert len(page.tables) == 13 and "Detect anomalies" in page.text()


def test_every_number_may_be_missing():
    # Kills: a scale over nothing; a division by a width of zero.
    report = made_up.report()
    for tasks in report["models"].values():
        for metrics in tasks.values():
            for cell in metrics.values():
                cell.update(mean=None, ci95=None, reference=None, n=0, failed=0)
    for tasks in report["budget"].values():
        for entry in tasks.values():
            entry["at"] = {"25": None, "50": None, "100": float("nan")}
    text = Page(render(report, made_up.extras())).text()
    assert text.count("not measured") >= 33 and "nan" not in text


@pytest.mark.parametrize("kind, shape", [("points", (50, 2)), ("table", (60, 30)), ("table", (9, 400))])
def test_points_and_tables(kind, shape):
    # Kills: points drawn as images; a heat-map wider than a phone.
    rng = np.random.default_rng(0)
    cloud = {name: rng.normal(size=shape).astype(np.float32) for name in ("real data", "vae", "r3gan")}
    cloud["vae"][0] = np.nan
    report = made_up.report()
    report["data"] |= {"kind": kind, "shape": list(shape[1:])}
    page = Page(render(report, Extras((Grid("Samples", "", cloud),))))
    scatters = [attrs for tag, attrs in page.seen if attrs.get("class") == "scatter"]
    assert len(scatters) == (3 if kind == "points" else 0)
    widths = [int(attrs["width"]) for tag, attrs in page.seen if tag == "img"]
    assert len(widths) == (0 if kind == "points" else 3) and all(width <= max(320, shape[1]) for width in widths)
    if kind == "points":
        assert "1 outside the frame" in scatters[1]["aria-label"]


def test_same_input_same_bytes_and_input_untouched(html):
    # Kills: a time stamp; the order of a set; a report that is written to.
    report, extras = made_up.report(), made_up.extras()
    before = json.dumps(report, sort_keys=True)
    assert render(report, extras) == html
    assert json.dumps(report, sort_keys=True) == before
    assert render(copy.deepcopy(json.loads(json.dumps(report))), extras) == html


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_contrast_in_both_themes(html):
    # Kills: a grey that pleases and cannot be read (WCAG AA: 4.5 for text and, here, for every mark).
    themes = [
        dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root {(.*?)}", html, re.S)
    ]
    light, dark = themes[0], themes[1]
    assert set(light) == set(dark) and len(light) >= 18
    for theme in (light, dark):
        pairs = [
            (ink, "paper") for ink in ("ink", "soft", "link", "warn", "base", "real", *(f"c{i}" for i in range(8)))
        ]
        for ink, paper in [*pairs, ("ink", "code"), ("ink", "warn-paper"), ("warn", "warn-paper")]:
            high, low = sorted((luminance(theme[ink]), luminance(theme[paper])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, paper)


def test_models_differ_by_shape_too_and_keep_their_look():
    # Kills: colour as the only difference; one colour for two models; a colour that changes with the section.
    report = made_up.report()
    cells = report["models"]["vae"]
    for name in ("beta_vae", "wgan_gp", "aae"):
        report["models"][name] = cells
    report["protocol"]["sides"] |= {"beta_vae": "vae", "wgan_gp": "gan", "aae": "hybrid"}
    html = render(report, made_up.extras())
    looks = {}
    for colour, mark, name in re.findall(
        r'<svg class="key"[^>]*><svg x="50%" y="50%" class="mark (\S+) (\S+)">.*?</svg></svg>([^<]+)<', html
    ):
        looks.setdefault(name.strip(), set()).add((colour, mark))
    assert looks["vae"] == {("c0", "circle")} and looks["r3gan"] == {("c1", "square")}
    assert looks["beta_vae"] == {("c4", next(iter(looks["beta_vae"]))[1])}
    trained = [looks[name] for name in ("vae", "r3gan", "beta_vae", "wgan_gp", "aae")]
    assert all(len(look) == 1 for look in trained) and len({next(iter(look))[0] for look in trained}) == 5
    assert looks["PCA of 16"] == {("c-base", "ring")}


def test_bounds_cut_what_is_drawn_and_nothing_that_is_printed():
    # Kills: bounds that do not reach the axis; an interval whose printed ends are cut, which hides how wide it is.
    report, metrics = made_up.report(), copy.deepcopy(made_up.METRICS)
    wide = {"mean": 0.75, "ci95": [-5.25, 6.75]}
    report["models"]["vae"]["detect_anomalies"]["AUROC"] |= wide
    free = render(report, made_up.extras())
    metrics["detect_anomalies"]["AUROC"]["bounds"] = (0.0, 1.0)
    html = render(report, made_up.extras()._replace(metrics=metrics))
    for markup in (free, html):
        np.testing.assert_allclose(numbers(Page(markup).row("AUROC", "vae")[1]), [0.75, -5.25, 6.75], atol=0.01)
    bar = 'class="span c0" x1="0.00%" x2="100.00%"'
    assert html.count(bar) == free.count(bar) + 2


def test_names_that_the_figures_bring_are_used_everywhere():
    # Kills: "Auroc[elbo]" in a caption, beside the chart or in the table of the shares.
    extras = made_up.extras()
    named = {"synthesise": {**extras.metrics["synthesise"]}}
    named["synthesise"]["frechet distance"] = {"name": "FD (of it)", "headline": True}
    html = render(made_up.report(), extras._replace(metrics={**extras.metrics, **named}))
    text = Page(html).text()
    assert text.count("FD (of it)") >= 5 and "frechet distance" not in html.lower()


def test_what_was_measured_is_told_in_words():
    # Kills: names of a tuple for words; parts that were not trained; "1 seeds"; "each" of one model.
    report = made_up.report()
    parts = {"main": 1300, "encoder": 0, "detect": 900, "detect_encoder": 0}
    report["protocol"] |= {
        "steps": {"vae": {"0": parts}, "r3gan": {"0": {**parts, "encoder": 50, "detect_encoder": 25}}},
        "stages": {"vae": {"0": {"main": [325, 650]}}},
        "seeds": 1,
    }
    words = {"main": "", "encoder": "of an encoder", "detect": "without a class"}
    text = Page(render(report, Extras(steps=words))).text()
    assert "vae: 1,300; 900 without a class" in text
    assert "r3gan: 1,300; 50 of an encoder; 900 without a class; 25 detect encoder" in text
    assert "1 seed each," in text and "325" not in text
    del report["models"]["r3gan"], report["budget"]["r3gan"]
    assert ", 1 seed, 6 s of main training" in Page(render(report, Extras())).text()


def test_sentences_of_notes_begin_with_a_capital():
    # Kills: notes as they come from wherever they were made.
    report = made_up.report()
    report["notes"], report["data"]["notes"] = ["vae failed.", "Fine."], ["columns 3.", "two."]
    html = render(report, Extras())
    assert "<li>Vae failed.</li>" in html and "<li>Fine.</li>" in html and "Columns 3. Two." in html


def test_a_run_that_is_too_short_keeps_its_figures_and_claims_nothing():
    # Kills: a card that is quiet as if nothing was measured; "Not measured" over its figures; a side's colour.
    report = made_up.report()
    report["advice"][0] |= {"choose": "undecided", "lacks": "time", "because": "Why it is."}
    html = render(report, made_up.extras())
    match = re.search(r'<li class="card ([^"]*)">\s*<h3>image synthesis</h3>(.*?)</li>\n</ul>', html, re.S)
    kind, card = match.groups()
    assert kind == "" and "Undecided: more time" in card and "Why it is." in card and 'class="mini"' in card
    assert "too short to decide image synthesis: choose a larger --seconds" in Page(html).headings[0][1]


@pytest.mark.parametrize(("kind", "called"), [("image", "image synthesis"), ("table", "synthesis")])
def test_the_page_calls_settings_by_what_the_data_are(kind, called):
    # Kills: "image synthesis" over the figures of a table; a card that loses its figures with its name.
    report = made_up.report()
    report["data"] |= {"kind": kind, "shape": [7]}
    extras = made_up.extras()._replace(grids=())
    html = render(report, extras)
    assert f"Choose the GAN for {called} and" in Page(html).headings[0][1]
    card = re.search(rf"<h3>{called}</h3>(.*?)</li>\n</ul>", html, re.S)
    assert card and 'class="mini"' in card[1]


def test_an_answer_without_a_difference_is_called_so():
    # Kills: the word of the report as the answer; "equal" for what was only not decided.
    report = made_up.report()
    report["advice"][0]["choose"] = "either"
    page = Page(render(report, made_up.extras()))
    assert "Equal" in page.text() and "Either" not in page.text()
    report["advice"][0]["choose"] = "undecided"
    assert "Undecided" in (text := Page(render(report, made_up.extras())).text()) and "Equal" not in text


def test_the_answer_is_set_as_the_tables_are():
    # Kills: a hyphen for a minus on the page, or a minus in a name; a report that is written to.
    report = made_up.report()
    report["advice"][0]["because"] = "WGAN-GP beats wgan-2 by -4.4, 95 % interval -6.1 to -2."
    text = Page(render(report, made_up.extras())).text().replace("\u00a0", " ")
    assert "WGAN-GP beats wgan-2 by −4.4, 95 % interval −6.1 to −2." in text
    assert report["advice"][0]["because"].count("-") == 5


@pytest.mark.parametrize(("measured", "words"), [(1, "1 of the 6 settings was"), (0, "0 of the 6 settings were")])
def test_one_setting_is_one(measured, words):
    # Kills: "1 of the 6 settings were measured".
    report = made_up.report()
    for i, entry in enumerate(report["advice"]):
        entry["choose"] = "vae" if i < measured else "not measured"
    assert f"{words} measured." in Page(render(report, made_up.extras())).text()


def test_names_of_files_are_spelt_as_they_are():
    # Kills: "Const.npz", which is no file.
    report = made_up.report()
    report["notes"] = ["const.npz has no labels.", "half of it."]
    html = render(report, Extras())
    assert "<li>const.npz has" in html and "<li>Half of" in html


def test_what_was_decided_comes_first_and_open_settings_after_it():
    # Kills: the answers in the order of the settings, with what stayed open above them.
    report = made_up.report()
    for entry, choose in zip(
        report["advice"], ["undecided", "neither", "not measured", "either", "gan", "vae"], strict=True
    ):
        entry["choose"] = choose
    html = render(report, made_up.extras())
    at = [html.index(f"<h3>{report['advice'][i]['setting']}</h3>") for i in (5, 4, 1, 3, 0, 2)]
    assert sorted(at[1:]) == at[1:] and at[0] < at[2]


def test_the_deciding_difference_is_drawn_with_its_margin():
    # Kills: a difference that no reader can see; the colour of the model that trails; a margin that is not stated.
    report = made_up.report()
    gap = {"of": ["r3gan", "vae"], "leader": "r3gan", "mean": -1.58, "low": -1.7, "high": -1.4, "margin": 0.2}
    report["advice"][0]["difference"] = gap
    html = render(report, made_up.extras())
    card = html[html.index("<h3>image synthesis</h3>") :]
    assert "r3gan − vae" in card and "a difference inside the band, ±0.20, does not matter" in card and "−1.58" in card
    drawn = card[card.index("The deciding difference") :]
    assert 'class="span c1"' in drawn[: drawn.index("</ul>")]
    report["advice"][0]["difference"] = {**gap, "margin": None}
    assert "inside the band" not in render(report, made_up.extras())


def test_figures_by_group_and_folded_tables():
    # Kills: the class that was left out nowhere beside its figure; a mean over other seeds; the headline folded away.
    report, extras = made_up.report(), made_up.extras()
    task, metrics = next((task, metrics) for task, metrics in extras.metrics.items() if len(metrics) > 3)
    headline = next(name for name, about in metrics.items() if about["headline"])
    for i, tasks in enumerate(report["models"].values()):
        if headline in tasks.get(task, {}):
            tasks[task][headline]["values"] = {"0": 0.25 + i, "1": 0.5 + i, "2": 0.75 + i}
    report["groups"] = {task: {"0": "left", "1": "right", "2": "left"}}
    html = render(report, extras)
    rows = dict(re.findall(r'<tr><th scope="row">(left|right)</th><td class="num">([^<]*)</td>', html))
    assert rows == {"left": "0.500", "right": "0.500"}
    report["groups"] = {task: {"0": "all", "1": "all", "2": "all"}}
    assert "by what the seed was measured on" not in render(report, extras)
    folded = re.findall(r"<details>(.*?)</details>", render(report, extras), re.S)
    assert folded and not any('class="metric headline"' in part for part in folded)

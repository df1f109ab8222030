"""What the experiments on the choice share: which comparisons are made and read, patches, and figures of their own."""

import sys
import types

import comparisons
import numpy as np
import pytest

from experiments import extras, patches, settings
from experiments.settings import Config, Part
from jaxgen.core import Model
from jaxgen.data import as_float
from jaxgen.metrics.features import feature_space
from jaxgen.tasks import MANIPULATE, SYNTHESISE, Reading, Reference


@pytest.fixture
def asked(monkeypatch):
    """The comparisons that are asked for, in place of those that would be made."""
    made = []

    def compared(data, part, seeds, out):
        made.append((data.name, part.words, out))
        return comparisons.found(data.name, part.words)

    monkeypatch.setattr(settings, "compared", compared)
    return made


WORDS = ("synthesis", "anomalies", "representation")
CONFIG = Config({"digits": Part(1.0, WORDS), "cancer": Part(1.0, ("anomalies", "representation"))}, seeds=2)


def test_only_what_is_asked_for_is_compared(asked, tmp_path):
    # Kills: settings that nobody asked for; data that serve none of them; what is measured alone found as the whole.
    found = settings.measured(CONFIG, ("synthesis", "style"), tmp_path)
    assert [(name, words) for name, words, _ in asked] == [("digits", ("synthesis",))] and found.seconds == 7.0
    settings.measured(CONFIG, ("anomalies",), tmp_path)
    assert [words for _, words, _ in asked[1:]] == [("anomalies",)] * 2
    assert len({out for *_, out in asked}) == 3 and all(out.parent == tmp_path for *_, out in asked)


def test_a_comparison_of_all_settings_serves_one(asked, tmp_path):
    # Kills: a second training of what is there; a comparison of one setting that is read for another.
    whole = settings.place(tmp_path, "digits", CONFIG.sets["digits"], 2)
    whole.mkdir()
    (whole / "report.json").touch()
    settings.measured(CONFIG, ("anomalies",), tmp_path)
    assert asked == [("digits", WORDS, whole), ("cancer", ("anomalies",), asked[1][2])]
    assert asked[1][2] != whole and asked[1][2].name.endswith("-anomalies")


def test_what_is_kept_of_other_data_is_refused(tmp_path):
    # Kills: figures of two versions of the data in one comparison; a refusal of what is of these data.
    data, part = comparisons.loaded("digits"), CONFIG.sets["digits"]
    settings.ledger.begin(tmp_path, settings._request(data, ("vae",), 1.0, 2, ()), data.digest, None)
    settings.check(tmp_path, data)
    with pytest.raises(settings.BadRequest, match="of other data: remove it"):
        settings.compared(data._replace(digest="0"), part, 2, tmp_path)
    settings.check(tmp_path / "nothing", data)


def test_what_is_not_here_is_said(asked, monkeypatch, tmp_path):
    # Kills: a data set that falls out in silence; a download.
    monkeypatch.setattr(patches, "installed", lambda: False)
    config = Config({"patches": Part(1.0, WORDS), settings.FASHION: Part(1.0, WORDS)}, seeds=2)
    found = settings.measured(config, WORDS, tmp_path)
    assert not found.sets and not asked and len(found.skipped) == 2
    assert "scikit-image is not installed" in found.skipped[0] and "has not prepared it" in found.skipped[1]


def test_patches(monkeypatch):
    # Kills: tiles that overlap, so that test patches share pixels with training ones; flat tiles; a label of another
    # picture; a picture that is shrunk by leaving pixels out.
    rng = np.random.default_rng(0)
    pictures = {name: rng.integers(0, 256, (64 + 16 * i, 50, 3), np.uint8) for i, name in enumerate(patches.PICTURES)}
    pictures["coffee"][:16, :16] = 7
    fake = types.ModuleType("skimage.data")
    for name, picture in pictures.items():
        setattr(fake, name, lambda picture=picture: picture)
    monkeypatch.setitem(sys.modules, "skimage", types.ModuleType("skimage"))
    monkeypatch.setitem(sys.modules, "skimage.data", fake)
    sys.modules["skimage"].data = fake  # type: ignore[attr-defined]
    data = patches.load()
    parts = data.splits.values()
    assert data.shape == (8, 8, 3) and data.classes == patches.PICTURES and data.kind == "image"
    x, label = (np.concatenate([getattr(part, field) for part in parts]) for field in ("x", "label"))
    assert np.bincount(label).tolist() == [12, 14, 18, 21] and len(np.unique(x, axis=0)) == len(x)
    first = pictures["astronaut"][:2, :2].reshape(4, 3).mean(0)
    assert any(np.array_equal(np.rint(first), patch[0, 0]) for patch in x[label == 0])


# --- figures that no report knows


def test_sharpness_of_blurred_and_of_real_images():
    # Kills: a measure that blur does not lower; one over samples in another range; the wrong way round.
    data = comparisons.loaded("digits")
    reference = Reference(data, None)  # type: ignore[arg-type]
    real = as_float(data.test.x)

    def model(x):
        return Model(draw=lambda key, n: np.arange(n), sample=lambda i: x[np.asarray(i) % len(x)])

    def sharpness(x):
        return extras.sharpness(model(x), reference, None)[extras.SHARPNESS]

    blurred = (real + np.roll(real, 1, 1) + np.roll(real, 1, 2)) / 3
    assert sharpness(real) == pytest.approx(1) and sharpness(blurred) < 0.8
    assert sharpness(real + 5) < 1e-3  # cut to [0, 1]: white
    assert extras.sharpness(model(real), Reference(comparisons.loaded("cancer"), None), None) == {}


def test_the_course_of_an_edit_is_that_of_the_task():
    # Kills: another direction, split or seed than those of the task; strengths in another order; kept given as changed.
    data = comparisons.loaded("digits")
    reference = Reference(data, feature_space(data))
    task = extras.extended(MANIPULATE)
    figures = task.baselines(reference, 3)["baseline: PCA"]
    own = MANIPULATE.baselines(reference, 3)["baseline: PCA"]
    assert {name: figures[name] for name in own} == own
    kept = [figures[extras.at("kept", s)] for s in extras.STRENGTHS]
    changed = [figures[extras.at("changed", s)] for s in extras.STRENGTHS]
    assert kept[0] == own["composition"] == max(kept) and changed[0] == 0
    assert (own["kept"], own["changed"]) in list(zip(kept, changed, strict=True))


def test_extras_stand_beside_the_figures_and_not_in_a_report():
    # Kills: extras read at every stage; of a model that has no figures; ones that reach the report, which has no name
    # for them.
    data = comparisons.loaded("digits")
    reference = Reference(data, None)  # type: ignore[arg-type]
    read = {"25": Reading({"frechet": 1.0}, ""), None: Reading({"frechet": 1.0}, "")}
    task = extras._with(
        SYNTHESISE._replace(measure=lambda m, r, s, k, stage: read[stage]), lambda *_: {"extra: a": 2.0}
    )
    assert task.measure(Model(), reference, 0, None, "25").figures == {"frechet": 1.0}
    assert task.measure(Model(), reference, 0, None, None).figures == {"frechet": 1.0, "extra: a": 2.0}
    read[None] = Reading({}, "")
    assert task.measure(Model(), reference, 0, None, None).figures == {}
    found = comparisons.found("digits", ("synthesis",))
    outcomes, baselines = settings._reported(found.outcomes, found.baselines)
    names = set(outcomes["vae"][0].figures["synthesise"]) | set(
        baselines[0]["baseline: Gaussian of the pixels"]["synthesise"]
    )
    assert "frechet" in names and not any(name.startswith(extras.MARK) for name in names)
    assert extras.SHARPNESS in found.outcomes["vae"][0].figures["synthesise"]

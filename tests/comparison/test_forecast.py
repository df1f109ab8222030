"""What is said before the first training."""

from jaxgen.comparison.forecast import enough
from jaxgen.data import load


def test_large_images_may_be_made_smaller():
    # Kills: a size for what is no image, or is small already; the seconds rounded down.
    digits = load("digits")
    large = digits._replace(train=digits.train._replace(x=digits.train.x.repeat(4, 1).repeat(4, 2)))
    assert enough(20.1, large) == "--seconds-per-model 21 or more would do, or smaller images, such as --size 16."
    for small in (digits, load("cancer")):
        assert enough(20.1, small) == "--seconds-per-model 21 or more would do."

"""Data sets: known names, arrays in files, folders of images; uint8 or float32, split once, with a digest."""

from jaxgen.core import as_float
from jaxgen.data.data import Data, Modes, Split, subset, with_anomalies
from jaxgen.data.sources import load, names
from jaxgen.data.styles import with_domains

__all__ = ["Data", "Modes", "Split", "as_float", "load", "names", "subset", "with_anomalies", "with_domains"]

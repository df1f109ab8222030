"""One training: a plan trained on data, in memory or in a folder that it can be resumed from."""

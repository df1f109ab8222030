"""How fast the shipped step, loop and start are, beside their peers in the same run: `python -m benchmarks NAME|all`.

A row is a function `(*, rounds, quick)` and one entry in `__main__.ROWS`; rows of one kind share a module. Its variants
are functions that a worker process runs (`worker.py`); `interleave.py` starts them all and times them in turn;
`figures.py` makes ratios and text of the times.
"""

"""What the textbook claims about VAEs and GANs, measured: `python -m experiments NAME|all [--quick] [--out DIR]`.

An experiment is one module, or one small package, with `FULL` and `QUICK` (a frozen `Config` each), `main(config)` that
returns `Evidence`, and one entry in `__main__.EXPERIMENTS`. Those on the choice between VAE and GAN read comparisons of
`settings.py`, made once for all of them. A verdict is a pure function of figures. `evidence.py` writes what was found,
`page.py` makes `experiments/README.md` of it.
"""

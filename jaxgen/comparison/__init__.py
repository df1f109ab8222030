"""The comparison of models: which are trained, for how long, how they are measured, and what the answer is."""

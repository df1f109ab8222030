"""Many trainings, one answer: which models, for how long, what they reach, and what follows from it."""

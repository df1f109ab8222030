"""Every public part of jaxgen.objectives, listed once under its public name.

The contract tests run over these tables. A factory stands here as one of its parts. To add a part, add its row.
"""

from jaxgen import objectives as o

FAMILIES = {
    "GAUSSIAN": o.GAUSSIAN,
    "LAPLACE": o.LAPLACE,
    "BERNOULLI": o.BERNOULLI,
    "DISCRETISED_LOGISTIC": o.DISCRETISED_LOGISTIC,
}

DIVERGENCES = {  # all between Gaussians
    "exact_kl": o.exact_kl(o.GAUSSIAN, o.GAUSSIAN),
    "free_bits": o.free_bits(o.exact_kl(o.GAUSSIAN, o.GAUSSIAN), 0.25),
    "sampled_kl": o.sampled_kl(o.GAUSSIAN, o.GAUSSIAN),
}

ESTIMATORS = {
    "PATHWISE": o.PATHWISE,
    "CUT": o.CUT,
    "SCORE": o.SCORE,
}

BOUNDS = {
    "MEAN": o.MEAN,
    "IMPORTANCE": o.IMPORTANCE,
}

ADVERSARIAL = {
    "SATURATING": o.SATURATING,
    "NON_SATURATING": o.NON_SATURATING,
    "LEAST_SQUARES": o.LEAST_SQUARES,
    "HINGE": o.HINGE,
    "WASSERSTEIN": o.WASSERSTEIN,
    "RELATIVISTIC": o.RELATIVISTIC,
    "smooth": o.smooth(o.NON_SATURATING),
}

PENALTIES = {
    "NO_PENALTY": o.NO_PENALTY,
    "r1": o.r1(2.0),
    "r2": o.r2(2.0),
    "gradient_penalty": o.gradient_penalty(10.0),
    "add": o.add(o.r1(1.0), o.gradient_penalty(10.0)),
}

AUGMENTS = {
    "NO_AUGMENT": o.NO_AUGMENT,
    "instance_noise": o.instance_noise(0.5),
}

TABLES = {
    o.Family: FAMILIES,
    o.Divergence: DIVERGENCES,
    o.Estimator: ESTIMATORS,
    o.Bound: BOUNDS,
    o.Adversarial: ADVERSARIAL,
    o.Penalty: PENALTIES,
    o.Augment: AUGMENTS,
}

"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""


def mean_of(of_x0, of_xt):
    """A posterior mean by two weights, each of (alpha_bar_t, alpha_bar_r, beta)."""

    def mean(x_0, x_t, t, r):
        beta = 1 - t / r
        return of_x0(t, r, beta) * x_0 + of_xt(t, r, beta) * x_t

    return mean


def right_of_x0(t, r, beta):
    return r**0.5 * beta / (1 - t)


def right_of_xt(t, r, beta):
    return (1 - beta) ** 0.5 * (1 - r) / (1 - t)


WRONG = [
    (1, lambda x, a, n: a * x + (1 - a) * n, "square roots are missing"),
    (1, lambda x, a, n: a.sqrt() * x - (1 - a).sqrt() * n, "wrong sign"),
    (1, lambda x, a, n: a.sqrt() * x + (1 - a) * n, "lacks its square root"),
    (1, lambda x, a, n: (1 - a).sqrt() * x + a.sqrt() * n, "each other's weight"),
    (2, mean_of(right_of_xt, right_of_x0), "each other's weight"),
    (2, mean_of(lambda t, r, b: t**0.5 * b / (1 - t), right_of_xt), "alpha_bar_t; it asks where"),
    (2, mean_of(right_of_x0, lambda t, r, b: (1 - b) * (1 - r) / (1 - t)), "square root of 1 - beta"),
    (2, mean_of(lambda t, r, b: r**0.5, lambda t, r, b: (1 - t / r) ** 0.5), "off by"),
    (3, lambda d, x, r, t, n: d.alpha_bar(t) ** 0.5 * x + (1 - d.alpha_bar(t)) ** 0.5 * n, "from x_0"),
    (
        3,
        lambda d, x, r, t, n: (d.alpha_bar(t) / d.alpha_bar(r)) ** 0.5 * x + (1 - d.alpha_bar(t)) ** 0.5 * n,
        "noise in it already",
    ),
    (3, lambda d, x, r, t, n: d.q_sample(x, t - r, n), "'OnlyAlphaBar' has no attribute 'q_sample'"),
    (4, lambda a, k: a / (a + k * (1 - a)), "not k"),
    (4, lambda a, k: a / k**2, "ratio"),
    (5, lambda d, r, t: (1 - r) / (1 - t) * (1 - t / r), "lower bound"),
    (5, lambda d, r, t: d * r + 1 - r, "taken away"),
    (5, lambda d, r, t: (1 - t / r) * ((1 - d) * (1 - r) / (1 - t) + d), "not the straight line"),
    (5, lambda d, r, t: (1 - t / r) * ((1 - r) / (1 - t)) ** (1 - d), "logarithm does not go straight"),
]

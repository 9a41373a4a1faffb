"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""


def std_without_guidance(v, s, alpha_bars):
    std = 1.0
    for now, then in zip(alpha_bars[:-1], alpha_bars[1:], strict=True):
        eps = (1 - now) ** 0.5 / (now * v + 1 - now)
        std *= then**0.5 * (1 - (1 - now) ** 0.5 * eps) / now**0.5 + (1 - then) ** 0.5 * eps
    return std


WRONG = [
    (1, lambda c, null, alpha_bar, s: null + s * (c - null), "guided score"),
    (1, lambda c, null, alpha_bar, s: -((1 - alpha_bar) ** 0.5) * (c + s * (c - null)), "Eq. 16"),
    (2, lambda m, v, s: (m, v / s), "alone"),
    (2, lambda m, v, s: (m, 1 / (s / v - s + 1)), "mean moves"),
    (2, lambda m, v, s: (s * m, v / (s - (s - 1) * v)), "times the new variance"),
    (3, std_without_guidance, "without guidance"),
    (3, lambda v, s, alpha_bars: (1 / (s / v - s + 1)) ** 0.5, "tilted density"),
]

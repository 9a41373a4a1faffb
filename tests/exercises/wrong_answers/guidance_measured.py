"""What readers get wrong in the lesson's exercises: (number, answer, words that it must be met with)."""


def from_the_null_label(x0, c, null):
    return ((x0 - null) * (c - null)).flatten(1).sum(1) / (c - null).flatten(1).square().sum(1)


WRONG = [
    (1, {"interval", "CFG++"}, "1 of the 2 that keep it are in it, and 1 that do not"),
    (1, {"rescale"}, "0 of the 2"),
    (1, ["interval", "autoguidance"], "a set of names"),
    (1, {"plain"}, "a set of names"),
    (2, from_the_null_label, "- 1"),
    (2, lambda x0, c, null: ((x0 - c) * (c - null)).sum((1, 2, 3)), "upper half"),
    (2, lambda x0, c, null: ((x0 - c) * (null - c)).sum((1, 2, 3)) / ((c - null) ** 2).sum((1, 2, 3)), "the sign"),
    (2, lambda x0, c, null: ((x0 - c) * (c - null)).sum((1, 2, 3)) / ((c - null) ** 2).sum(), "below the line"),
    (2, lambda x0, c, null: ((x0 - c) * (c - null)).sum((1, 2, 3)) / (c - null).flatten(1).norm(dim=1), "a length"),
    (2, lambda x0, c, null: ((x0 - c) / (c - null)).mean((1, 2, 3)), "quotients"),
    (2, lambda x0, c, null: ((x0 - c) * (c - null)).sum() / (c - null).square().sum(), "first axis"),
    (3, lambda lam, sigma_t, sigma_r: lam, "moves the noise too"),
    (3, lambda lam, sigma_t, sigma_r: lam / (1 - sigma_t / sigma_r), "exchanged"),
    (3, lambda lam, sigma_t, sigma_r: lam * sigma_t / (sigma_t - sigma_r) - 1, "its excess"),
    (3, lambda lam, sigma_t, sigma_r: lam * sigma_t / (sigma_t + sigma_r), "the sign"),
    (3, lambda lam, sigma_t, sigma_r: lam * (sigma_t - sigma_r) / sigma_t, "divided"),
    (3, lambda lam, sigma_t, sigma_r: lam * sigma_t**2 / (sigma_t**2 - sigma_r**2), "square"),
]

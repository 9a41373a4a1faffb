"""Exercises of the lesson "Metrics": FID written out, its one-dimensional case, its bias, and the other mean of IoU."""

import torch
from torch import Tensor

from sdm_lite.exercises.exercise import Exercise, Lesson, Slip, normal, on, steps
from sdm_lite.metrics import Moments, frechet_distance, frechet_distance_of_moments, mean_iou

A = normal(40, 4) @ normal(4, 4, seed=1) + 1
B = normal(30, 4, seed=2) @ normal(4, 4, seed=3)


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    features = features.double()
    return features.mean(0), features.T.cov()


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def _trace_of_root(cov_a: Tensor, cov_b: Tensor) -> Tensor:
    return torch.linalg.eigvals(cov_a @ cov_b).real.clamp(min=0).sqrt().sum()


def _fid(of_means=lambda d: d.square().sum(), of_roots=_trace_of_root, twice: float = 2.0):
    """The distance, and with other arguments what one may take for it."""

    def answer(features_a: Tensor, features_b: Tensor) -> Tensor:
        (mean_a, cov_a), (mean_b, cov_b) = _moments(features_a), _moments(features_b)
        return of_means(mean_a - mean_b) + cov_a.trace() + cov_b.trace() - twice * of_roots(cov_a, cov_b)

    return answer


FID = Exercise(
    title="write FID",
    level="open",
    hints=(
        "Four lines: two means, two covariances (torch.cov wants a feature a row: features.T.cov()), then the formula.",
        "The trace of a root is the sum of the roots of the eigenvalues, and cov_a cov_b has real ones, none below "
        "zero: torch.linalg.eigvals(cov_a @ cov_b).real.",
        "Rounding can make an eigenvalue -1e-9, and its root nan: .clamp(min=0) first.",
    ),
    right=frechet_distance,
    slips=(
        Slip(
            _fid(of_roots=lambda cov_a, cov_b: (cov_a @ cov_b).trace()),
            "the matrix root is missing: tr (cov_a cov_b)^(1/2), the sum of the *roots* of the eigenvalues.",
        ),
        Slip(
            _fid(of_roots=lambda cov_a, cov_b: (cov_a @ cov_b).abs().sqrt().trace()),
            "the root of a matrix is not the root of each number in it: take the roots of its eigenvalues.",
        ),
        Slip(
            _fid(of_roots=lambda cov_a, cov_b: (cov_a.diagonal() * cov_b.diagonal()).sqrt().sum()),
            "that takes the features for independent; the product is that of whole matrices, cov_a @ cov_b.",
        ),
        Slip(
            _fid(of_roots=lambda cov_a, cov_b: (_root(cov_a) @ _root(cov_b)).trace()),
            "the product of the two roots is not the root of the product, unless cov_a and cov_b commute.",
        ),
        Slip(_fid(of_means=torch.linalg.vector_norm), "the distance of the means is squared: |mu_a - mu_b|^2."),
        Slip(_fid(of_means=lambda d: 0 * d.sum()), "the means are missing: |mu_a - mu_b|^2."),
        Slip(
            _fid(twice=1.0),
            "the root is taken away twice: - 2 (cov_a cov_b)^(1/2). Of equal crowds, zero must be left.",
        ),
        Slip(lambda a, b: _fid()(a, b).sqrt(), "that is the distance; FID is its square."),
    ),
    ask=lambda answer: [_number(answer(A.clone(), B.clone())), _number(answer(B.clone(), A.clone()))],
    tolerance=1e-3,
)


def _number(value: object) -> object:
    """A scalar tensor as a number, so that both will do as an answer."""
    return value.item() if isinstance(value, Tensor) and value.numel() == 1 else value


def _one_dimension(mean_1: float, std_1: float, mean_2: float, std_2: float) -> float:
    """By the package, for crowds of one dimension."""
    one = torch.ones(1, dtype=torch.float64, device="cpu")
    packed = [Moments(m * one, s**2 * one[:, None]) for m, s in ((mean_1, std_1), (mean_2, std_2))]
    return frechet_distance_of_moments(*packed).item()


ONE_DIMENSION = Exercise(
    title="two crowds, one dimension",
    level="easy",
    hints=(
        "In one dimension the root of the product of two variances is the product of the standard deviations.",
        "std_1^2 + std_2^2 - 2 std_1 std_2 is a square.",
    ),
    right=_one_dimension,
    slips=(
        Slip(
            lambda m, s, n, r: (m - n) ** 2 + (s**2 - r**2) ** 2,
            "the standard deviations are compared, not the variances.",
        ),
        Slip(lambda m, s, n, r: (m - n) ** 2 + s**2 + r**2, "what is taken away, 2 std_1 std_2, is missing."),
        Slip(
            lambda m, s, n, r: (m - n) ** 2 + s**2 + r**2 - s * r,
            "the root is taken away twice, - 2 std_1 std_2: of equal crowds, zero must be left.",
        ),
        Slip(lambda m, s, n, r: abs(m - n) + abs(s - r), "both differences are squared."),
        Slip(lambda m, s, n, r: ((m - n) ** 2 + (s - r) ** 2) ** 0.5, "asked is d^2, not d."),
    ),
    ask=on((0.0, 1.0, 0.0, 0.5), (1.0, 2.0, -1.0, 2.0), (0.3, 0.7, 0.9, 1.9)),
    tolerance=1e-6,
    remark="A wrong spread adds its own square; no better mean can make up for it.",
)

CONFUSIONS = steps(4, 0, 0, 0, 0, 0, 1, 0, 3, 2, 2, 0, 0, 9, 0, 0, 0, 0).view(2, 3, 3)


def _with_absent_as_zero(confusions: Tensor) -> float:
    m = confusions.double()
    diagonal = m.diagonal(dim1=1, dim2=2)
    return (diagonal / (m.sum(1) + m.sum(2) - diagonal)).nan_to_num(0).mean().item()


WHICH_MEAN = Exercise(
    title="which mean?",
    level="medium",
    hints=(
        "A loop over the pictures: mean_iou takes one confusion matrix. Which classes does it average over?",
        "intersection_over_union gives nan for a class that a picture does not have; mean_iou leaves those out.",
        "np.mean([mean_iou(matrix) for ...]).",
    ),
    right=lambda confusions: sum(mean_iou(matrix) for matrix in confusions) / len(confusions),
    slips=(
        Slip(
            lambda confusions: mean_iou(confusions.sum(0)),
            "that adds up the matrices first, the mIoU of papers; asked is the mean of each picture's own.",
        ),
        Slip(
            _with_absent_as_zero,
            "a class that a picture does not have counts as 0 in it; leave it out of that picture's mean.",
        ),
        Slip(lambda confusions: float("nan"), "nan came out: of classes that a picture does not have. Leave them out."),
    ),
    ask=lambda answer: _number(answer(CONFUSIONS.clone())),
    tolerance=1e-6,
)

WITHOUT_BIAS = Exercise(
    title="infinitely many samples",
    level="medium",
    hints=("Two equations, two unknowns: get rid of c.", "Twice the second equation less the first: what is left?"),
    right=lambda with_n, with_2n: 2 * with_2n - with_n,
    slips=(
        Slip(lambda with_n, with_2n: 2 * with_n - with_2n, "the two are exchanged: more samples have less bias."),
        Slip(lambda with_n, with_2n: with_n - with_2n, "that is c / (2 N), the bias that is left with 2 N."),
        Slip(lambda with_n, with_2n: (with_n + with_2n) / 2, "a mean of the two is still biased upwards."),
        Slip(lambda with_n, with_2n: with_2n / 2, "the bias is halved, not the distance."),
    ),
    ask=on((0.05, 0.025), (3.625, 3.3125)),
    tolerance=1e-9,
)

LESSON = Lesson((FID, ONE_DIMENSION, WHICH_MEAN, WITHOUT_BIAS))
check, hint = LESSON.check, LESSON.hint

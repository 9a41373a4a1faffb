"""Numbers that compare generated pictures with true ones, of whatever features they are handed.

Apart from the models, so that every number says by its arguments what it was measured with: the functions here know no
network and no data set.
"""

from sdm_lite.metrics.conditional import residuals
from sdm_lite.metrics.diversity import Distance, pairwise_diversity, total_variation
from sdm_lite.metrics.edges import edge_mixtures, edge_pixels, edge_sharpness
from sdm_lite.metrics.frechet import (
    Moments,
    feature_moments,
    frechet_distance,
    frechet_distance_of_moments,
    moments_of_sums,
)
from sdm_lite.metrics.intervals import (
    Interval,
    bootstrap,
    bootstrap_interval,
    centred_bootstrap,
    centred_interval,
    verdict,
)
from sdm_lite.metrics.kernel import kernel_distance, kernel_distance_of_groups
from sdm_lite.metrics.kernel_pairs import kernel_distance_of_pairs, pair_kernel
from sdm_lite.metrics.neighbours import Neighbourhoods, neighbourhoods
from sdm_lite.metrics.seeds import layouts_and_seeds_interval
from sdm_lite.metrics.segmentation import confusion_matrix, intersection_over_union, mean_iou
from sdm_lite.metrics.subsets import normal_interval, share_interval, subset_errors

__all__ = [
    "Distance",
    "Interval",
    "Moments",
    "Neighbourhoods",
    "bootstrap",
    "bootstrap_interval",
    "centred_bootstrap",
    "centred_interval",
    "confusion_matrix",
    "edge_mixtures",
    "edge_pixels",
    "edge_sharpness",
    "feature_moments",
    "frechet_distance",
    "frechet_distance_of_moments",
    "intersection_over_union",
    "kernel_distance",
    "kernel_distance_of_groups",
    "kernel_distance_of_pairs",
    "layouts_and_seeds_interval",
    "mean_iou",
    "moments_of_sums",
    "neighbourhoods",
    "normal_interval",
    "pair_kernel",
    "pairwise_diversity",
    "residuals",
    "share_interval",
    "subset_errors",
    "total_variation",
    "verdict",
]

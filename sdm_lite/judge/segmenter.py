"""Published segmenters of the transformers library: what they read of photographs, in the ids of a data set.

Apart from the judges that were trained here because such a network has classes of its own, and a size that it expects
pictures in: which of its classes is which of the data set's is never guessed in silence, and pictures are enlarged to
its own size first, as in the paper (Wang et al., 2022, section 4.1 and Table 3).

What the paper does not say, and how it is here: the size (the one that the segmenter's own files name, or one that is
given), the filter (bilinear), the size at which label maps are compared (the label map's: logits are brought to it,
bilinear, before the largest is taken), the ids, and what becomes of classes that the segmenter does not know.

Shapes: B batch, S classes of the segmenter, K of the data set, H x W pixels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sdm_lite.files import expanded
from sdm_lite.judge.weights import JudgeUnavailableError, first_line, missing_package
from sdm_lite.pictures import check_range

NO_CLASS = -1  # what `predict` says where the segmenter sees a class that the data set does not have
PREPROCESSOR = "preprocessor_config.json"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Segmenter:
    """A published segmentation network as a judge: label maps in the ids of a data set.

    Args:
        network: (B, 3, h, w), normalised -> an output whose `logits` are (B, S, ., .), as transformers' for semantic
            segmentation.
        name: for tables.
        own_names: S names of its classes.
        ids: S ids of the data set, or NO_CLASS, one for each of these.
        input_size: (height, width) that pictures are brought to, or one number: the shorter side, shape kept.
        mean: of the channels of pictures in [0, 1], that it was trained with.
        std: the same.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        own_names: Sequence[str],
        ids: Sequence[int],
        input_size: tuple[int, int] | int,
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ):
        self.network, self.name, self.own_names = network.eval().requires_grad_(False), name, tuple(own_names)
        self.input_size = input_size
        self.ids = torch.tensor(ids, device=self.device)  # (S,)
        self.mean, self.std = (
            torch.tensor(values, dtype=torch.float32, device=self.device).view(3, 1, 1) for values in (mean, std)
        )

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.network.parameters()).device

    @property
    def known_ids(self) -> list[int]:
        """The data set's ids that it can see, ascending: the mIoU is over these."""
        return sorted(set(self.ids.tolist()) - {NO_CLASS})

    def told_ids(self, class_names: Sequence[str]) -> str:
        """Which of its classes is taken for which of the data set's, in a line; class_names are the latter's."""
        pairs = zip(self.own_names, self.ids.tolist(), strict=True)
        return ", ".join(f"{own} = {'none' if i == NO_CLASS else class_names[i]}" for own, i in pairs)

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """The most probable label map, at the pictures' own size.

        Args:
            images: (B, 3, H, W) in [-1, 1].

        Returns:
            (B, H, W) int64: ids of the data set, or NO_CLASS (-1).
        """
        check_range(images)
        size = images.shape[-2:]
        enlarged = F.interpolate(images.to(self.device), self.size_for(size), mode="bilinear", antialias=True)
        logits = self.network(((enlarged + 1) / 2 - self.mean) / self.std).logits  # (B, S, ., .)
        return self.ids[F.interpolate(logits, size, mode="bilinear").argmax(1)]

    def size_for(self, size: Sequence[int]) -> tuple[int, int]:
        """What pictures of a size (H, W) are brought to."""
        if not isinstance(self.input_size, int):
            return self.input_size
        height, width = (round(side * self.input_size / min(size)) for side in size)
        return height, width


def load_segmenter(
    name_or_folder: str | Path,
    class_names: Sequence[str],
    ids: str | Path,
    *,
    void_id: int | None = None,
    input_size: tuple[int, int] | None = None,
    device: str | torch.device = "cpu",
) -> Segmenter:
    """A segmenter of transformers (SegFormer, UperNet, DPT, BEiT...) from a folder or its cache; downloads nothing.

    Args:
        name_or_folder: a folder that `save_pretrained` or a download wrote, or a name in Hugging Face's cache.
        class_names: K names of the data set's classes.
        ids: see `segmenter_ids`.
        void_id: the data set's class of pixels that nobody labelled, or None: no class of the segmenter is this.
        input_size: (height, width) that pictures are brought to; None = what the segmenter's own files say.
        device: where to compute.

    Raises:
        ValueError: if its classes cannot be matched, or its files name no size and none is given.
        JudgeUnavailableError: if transformers cannot be imported, or the weights are not there or not whole.
    """
    try:
        from transformers import AutoModelForSemanticSegmentation
        from transformers.utils import cached_file
    except Exception as error:
        raise missing_package("mIoU by a published segmenter", "transformers", "segmenters", error) from error
    name = str(expanded(name_or_folder)) if expanded(name_or_folder).is_dir() else str(name_or_folder)
    try:
        network, info = AutoModelForSemanticSegmentation.from_pretrained(
            name, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # transformers' errors have no common name
        raise JudgeUnavailableError(
            f"no segmenter {name}: expected a folder with config.json and model.safetensors, or a name in the cache of "
            f"Hugging Face (`hf download {name}` puts it there); give one with --segmenter; got {first_line(error)}"
        ) from error
    if info["missing_keys"]:
        raise JudgeUnavailableError(
            f"the weights of segmenter {name} lack {len(info['missing_keys'])} tensors, "
            f"{sorted(info['missing_keys'])[0]} among them: it is no segmenter, or not a whole one"
        )
    try:
        settings = json.loads(Path(cached_file(name, PREPROCESSOR, local_files_only=True)).read_text(encoding="utf-8"))
    except OSError:
        settings = {}
    own_names = [str(network.config.id2label[i]) for i in range(network.config.num_labels)]
    found = [NO_CLASS if i == void_id else i for i in segmenter_ids(ids, own_names, class_names)]
    return Segmenter(
        network.float().to(device),
        Path(name).name if Path(name).is_dir() else name,
        own_names,
        found,
        input_size or _own_size(settings, name),
        mean=settings.get("image_mean", IMAGENET_MEAN),
        std=settings.get("image_std", IMAGENET_STD),
    )


def _own_size(settings: dict[str, object], name: str) -> tuple[int, int] | int:
    """The size that the segmenter's own files name: (height, width), or the shorter side."""
    size = settings.get("size") if settings.get("do_resize", True) else None
    if isinstance(size, int):
        return size, size
    if isinstance(size, dict) and size.keys() >= {"height", "width"}:
        return size["height"], size["width"]
    if isinstance(size, dict) and "shortest_edge" in size:
        return size["shortest_edge"]
    raise ValueError(
        f"expected the size that segmenter {name} takes in its {PREPROCESSOR}, got {size}: give --segmenter-size H W"
    )


# Which of its classes is which of the data set's.


def segmenter_ids(ids: str | Path, own_names: Sequence[str], class_names: Sequence[str]) -> list[int]:
    """The data set's id of every class of a segmenter.

    Args:
        ids: "same": its class i is the data set's id i (ADE20K's 150). "names": equal names, upper and lower case and
            outer spaces aside (Cityscapes' 19 among the 34). Or a JSON file {its class: the data set's}, each a name
            or a number, null for none; a class that is not in it has none.
        own_names: S names of the segmenter's classes.
        class_names: K names of the data set's classes.

    Returns:
        S ids in 0..K-1, or NO_CLASS.

    Raises:
        ValueError: if "same" does not fit, no class is matched, or the file is not as above.
    """
    if str(ids) == "same":
        if len(own_names) > len(class_names):
            raise ValueError(f"segmenter ids cannot be the same: it has {len(own_names)}, the data {len(class_names)}")
        return list(range(len(own_names)))
    if str(ids) == "names":
        number_of = {_plain(name): i for i, name in enumerate(class_names)}
        found = [number_of.get(_plain(name), NO_CLASS) for name in own_names]
    else:
        found = _ids_from_file(expanded(ids), own_names, class_names)
    if set(found) == {NO_CLASS}:
        names = ", ".join([*own_names[:3], "..."])
        raise ValueError(f"no class of the segmenter ({names}) is one of the data set's: give other --segmenter-ids")
    return found


def _ids_from_file(path: Path, own_names: Sequence[str], class_names: Sequence[str]) -> list[int]:
    if not path.is_file():
        raise ValueError(f"segmenter ids must be same, names or a JSON file, got {path}, which is not there")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        pairs = list(table.items())
    except (ValueError, AttributeError):
        raise ValueError(f'expected {{"its class": "class of the data set", ...}} in JSON in {path}') from None
    found = [NO_CLASS] * len(own_names)
    for own, target in pairs:
        i = _number(own, own_names, path, "the segmenter's classes")
        found[i] = NO_CLASS if target is None else _number(target, class_names, path, "the data set's classes")
    return found


def _number(name: object, names: Sequence[str], path: Path, what: str) -> int:
    """The number of a class that is given by name or number."""
    numbers = {_plain(known): i for i, known in enumerate(names)}
    found = numbers.get(_plain(str(name)), int(name) if str(name).isdecimal() else None)
    if found is None or not 0 <= found < len(names):
        raise ValueError(f"expected one of {what} (a name, or a number in 0..{len(names) - 1}) in {path}, got {name!r}")
    return found


def _plain(name: str) -> str:
    return name.strip().lower()

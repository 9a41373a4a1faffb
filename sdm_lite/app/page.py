"""What the page shows: which network draws, for whose maps, and who stands beside it. Made twice from the same words.

Once by the command, so that what is wrong is told in a line before a server starts; once in the page, in a process that
the server starts and to which the environment variable `SDM_LITE_APP` brings the words.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from sdm_lite.baselines.gan import SYSTEMS
from sdm_lite.baselines.gan.painting import painter_of, weights_of
from sdm_lite.baselines.gan.runs import load_gan
from sdm_lite.checkpoints import Model, load_facts, load_model
from sdm_lite.command import check_device, default_device
from sdm_lite.datasets import DATASETS, Photographs, open_dataset
from sdm_lite.evaluate.drawing import Painter, SampleSettings, guidance_scale_of, painter, usual_steps
from sdm_lite.files import expanded, to_json
from sdm_lite.scenes.dataset import VALIDATION_SEED, Scenes
from sdm_lite.scenes.label_sets import LABEL_SETS
from sdm_lite.student import Student
from sdm_lite.widgets import LabelPainter, SamplingPanel, StudentPanel, UserStudy, paint_pairs, sample_pairs
from sdm_lite.widgets.drawing import DEFAULT
from sdm_lite.widgets.panel import SCALES

VARIABLE = "SDM_LITE_APP"
NUM_MAPS = 24  # of a data set: what the page offers is spread over it
STUDY = {"num_steps": 10}  # a page that opens should not draw for minutes


@dataclass(frozen=True)
class Words:
    """What a page is asked for, as the command line has it.

    Attributes:
        model: shipped name, file, or folder of a run.
        dataset: scenes, or a name of `datasets.DATASETS`.
        root: its folder, if it has one.
        split: of photographs.
        beside: GANs: folders of runs, files, or shipped names.
        device: where to compute; None = a GPU if there is one.
    """

    model: str = "scenes-32"
    dataset: str = "scenes"
    root: str | None = None
    split: str = "val"
    beside: Sequence[str] = ()
    device: str | None = None

    def absolute(self) -> Words:
        """The same for a process that was started in another folder."""

        def found(name: str | None) -> str | None:
            return name if name is None or not expanded(name).exists() else str(Path(expanded(name)).absolute())

        return replace(self, model=found(self.model), root=found(self.root), beside=[found(one) for one in self.beside])


class Page(NamedTuple):
    """What the page is made of.

    Attributes:
        model: network and process.
        dataset: whose maps it offers.
        settings: of the samples, until one changes them.
        beside: painters, by name.
        indices: maps, by their number in the data set.
        teacher: of a model that is a student; None of any other.
    """

    model: Model
    dataset: Scenes | Photographs
    settings: SampleSettings
    beside: dict[str, Painter]
    indices: list[int]
    teacher: Model | None = None

    def painter(self) -> LabelPainter:
        """The label painter."""
        return LabelPainter(self.model, self.dataset, self.indices[:4], settings=self.settings, beside=self.beside)

    def panel(self) -> SamplingPanel | StudentPanel:
        """The sampling panel, whose scales have the one that is the default among them; of a student, its own."""
        if self.teacher is not None:
            return StudentPanel(self.model, self.teacher, self.dataset, self.indices[:6])
        scales, shown = {*SCALES, self.settings.guidance_scale}, self.indices[:6]
        return SamplingPanel(
            self.model, self.dataset, shown, scales=sorted(scales), settings=self.settings, beside=self.beside
        )

    def study(self, votes_file: str) -> UserStudy | None:
        """The user study: of samples and of those beside, or else of guided and plain samples.

        Args:
            votes_file: where votes are kept.

        Returns:
            The study; None, and a sentence is printed, where there is nothing to compare.
        """
        settings, chosen = self.settings, self.indices[-6:]
        if self.teacher is None:
            settings = replace(settings, **STUDY)
        if self.beside:
            pairs, names = [], []
            for number, (name, other) in enumerate(self.beside.items()):
                own = chosen[number :: len(self.beside)] or chosen[:1]
                pairs += paint_pairs(painter(self.model, settings), other, self.dataset, own)
                names += [("SDM", name)] * len(own)
            return UserStudy(pairs, names, votes_file, voter="me")
        scale = max(2.0, settings.guidance_scale)
        if settings.guidance_scale == 1:
            print(
                "Nothing to vote on: this network was trained without dropping labels, so guidance means nothing to it."
            )
            return None
        pairs = sample_pairs(self.model, self.dataset, chosen, guidance_scales=(scale, 1.0), settings=settings)
        return UserStudy(pairs, ("guided", "unguided"), votes_file, voter="me")


def open_page(words: Words) -> Page:
    """Everything that the page needs, loaded and checked against each other.

    Raises:
        FileNotFoundError: if there are no such weights.
        ValueError: if model, data set and those beside do not go together, or a folder is not as it should be.
    """
    device = words.device or default_device()
    check_device(device)
    model, facts = load_model(words.model, device=device), load_facts(words.model)
    dataset, indices = _open_data(words, model)
    model.unet.config.check_data(words.dataset, dataset.num_classes, has_instances=dataset.has_instances)
    settings = replace(DEFAULT, guidance_scale=guidance_scale_of(facts, words.dataset), num_steps=usual_steps(model))
    teacher = load_model(facts["teacher"], device=device) if isinstance(model.unet, Student) else None
    if model.diffusion.num_timesteps < settings.guidance_interval[1]:
        settings = replace(settings, guidance_interval=None)
    beside = {}
    for one in words.beside:
        gan = load_gan(weights_of(one), SYSTEMS, device)
        wanted = (model.unet.config.image_size, dataset.num_classes)
        if (tuple(gan.form.size), gan.form.num_classes) != wanted or gan.form.has_instances > dataset.has_instances:
            raise ValueError(
                f"expected one that draws {wanted[0][0]} x {wanted[0][1]} pixels of {wanted[1]} classes beside the "
                f"model, got {one}: {gan.form.size[0]} x {gan.form.size[1]} pixels, {gan.form.num_classes} classes"
            )
        name = gan.system.title
        beside[f"{name} ({one})" if name in beside else name] = painter_of(gan)
    return Page(model, dataset, settings.check(model), beside, indices, teacher)


def _open_data(words: Words, model: Model) -> tuple[Scenes | Photographs, list[int]]:
    """The data set at the model's size, and the maps that are offered."""
    size, num_classes = model.unet.config.image_size, model.unet.config.num_classes
    if words.dataset == "scenes":
        if words.root is not None:
            raise ValueError(
                f"--root is of photographs: expected --dataset {' or '.join(DATASETS)} with it, got scenes"
            )
        fitting = [name for name in LABEL_SETS if len(LABEL_SETS[name].class_names) == num_classes]
        if not fitting or size[0] != size[1]:
            raise ValueError(
                f"expected the data set of a model that draws {size[0]} x {size[1]} pixels of {num_classes} classes, "
                "got Scenes: give --dataset and --root"
            )
        scenes = Scenes(size[0], seed=VALIDATION_SEED, label_set=fitting[0])  # models are trained on seed 0
        return scenes, [12, 4, 1, 3, 18, 8, *range(100, 106)]
    if words.root is None:
        raise ValueError(f"--dataset {words.dataset} needs --root, its folder")
    photographs = open_dataset(words.dataset, words.root, words.split, size=size).thinned(NUM_MAPS)
    return photographs, [*range(0, len(photographs), 2), *range(1, len(photographs), 2)]


def words_of(environment: Mapping[str, str] = os.environ) -> Words:
    """The words that the command left in the environment; the defaults where it left none."""
    return Words(**json.loads(environment.get(VARIABLE) or "{}"))


def as_text(words: Words) -> str:
    """The words as the command leaves them in the environment."""
    return to_json(words.absolute().__dict__)

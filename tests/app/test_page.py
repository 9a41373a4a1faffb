"""What the page shows: any network with the data set that it reads; what does not go together is told in one line."""

from dataclasses import replace

import pytest
from networks import TINY, randomised
from photograph_files import write_camvid

from sdm_lite.app import __main__ as app_command
from sdm_lite.app.page import VARIABLE, Words, as_text, open_page, words_of
from sdm_lite.checkpoints import save_model
from sdm_lite.student import Student
from sdm_lite.train import LITE_DIFFUSION
from sdm_lite.widgets import LabelPainter, SamplingPanel, StudentPanel


@pytest.fixture
def camvid(tmp_path, monkeypatch):
    """A folder with a run of CamVid's classes and the data, in which one works."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    write_camvid(tmp_path / "data")
    (tmp_path / "data" / "images" / "train").rename(tmp_path / "data" / "images" / "val")
    (tmp_path / "data" / "labels" / "train").rename(tmp_path / "data" / "labels" / "val")
    for kind in ("images", "labels"):
        (tmp_path / "data" / kind / "train").mkdir()
    return run_of(tmp_path / "run", 0.2)


def run_of(folder, null_probability):
    facts = {"dataset": "camvid", "train_config": {"null_probability": null_probability}}
    unet = randomised(replace(TINY, num_classes=12))
    save_model(folder / "model.safetensors", unet, LITE_DIFFUSION, facts=facts)
    return Words("run", "camvid", "data")


def test_a_network_and_data_of_ones_own(camvid, tmp_path, monkeypatch):
    text = as_text(camvid)
    monkeypatch.chdir("/")
    page = open_page(words_of({VARIABLE: text}))
    assert page.dataset.num_classes == 12 and page.settings.guidance_scale == 2.0, "CamVid's, as labels were dropped"
    assert page.painter().label_map.shape == TINY.image_size
    figures = page.panel().figures()
    assert len(figures) == 2, "the panel draws at its own scales"
    assert page.study(str(tmp_path / "votes.csv")).study.num_left == 2


def test_widgets_in_a_notebook_begin_at_the_data_sets_scale(camvid):
    page = open_page(camvid)
    assert SamplingPanel(page.model, page.dataset, [0]).settings.guidance_scale == 2.0
    assert LabelPainter(page.model, page.dataset, [0])._settings.guidance_scale == 2.0


def test_a_student_has_a_panel_with_its_teacher(camvid, tmp_path, monkeypatch):
    teacher = tmp_path / "run" / "model.safetensors"
    facts = {"dataset": "camvid", "teacher": str(teacher), "train_config": {"null_probability": 0.0}}
    student = Student(replace(TINY, num_classes=12))
    save_model(tmp_path / "student.safetensors", student, LITE_DIFFUSION, facts=facts)
    page = open_page(replace(camvid, model=str(tmp_path / "student.safetensors")))
    assert (page.settings.num_steps, page.settings.guidance_scale) == (4, 2.0)
    assert isinstance(page.panel(), StudentPanel) and page.painter()._settings.num_steps == 4
    assert page.study(str(tmp_path / "votes.csv")).study.num_left == 2


def test_without_dropped_labels_nothing_is_guided_and_there_is_nothing_to_vote_on(camvid, tmp_path, capsys):
    run_of(tmp_path / "run", 0.0)
    page = open_page(camvid)
    assert page.settings.guidance_scale == 1.0 and page.study("votes.csv") is None
    assert capsys.readouterr().out.startswith("Nothing to vote on: this network was trained without dropping labels")


def test_the_page_as_it_was():
    page = open_page(words_of({}))
    assert page.indices[:4] == [12, 4, 1, 3] and page.dataset.seed == 1 and page.beside == {}
    assert page.settings.guidance_scale == 1.5 and page.settings.guidance_interval == (1, 800)


def test_a_gan_stands_beside(tmp_path, monkeypatch):
    monkeypatch.setenv("SDM_LITE_STATIC", "1")
    page = open_page(Words(beside=["gan-inade-32"]))
    assert list(page.beside) == ["INADE"]
    study = page.study(str(tmp_path / "votes.csv")).study
    assert study.num_left == 6 and list(study.contests) == [("SDM", "INADE")]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nothing"], "no weights called 'nothing'"),
        (["run"], "16 x 16 pixels of 12 classes, got Scenes: give --dataset and --root"),
        (["run", "--root", "data"], "--root is of photographs"),
        (["run", "--dataset", "camvid"], "--dataset camvid needs --root"),
        (["run", "--dataset", "camvd", "--root", "data"], "did you mean camvid?"),
        (["run", "--dataset", "camvid", "--root", "run"], "images/{train,val}/"),
        (["scenes-32", "--dataset", "camvid", "--root", "data"], "the network reads 11 classes"),
        (["scenes-64", "--beside", "gan-inade-32"], "got gan-inade-32: 32 x 32 pixels, 11 classes"),
        (["scenes-32", "--beside", "scenes-32"], "is no GAN of sdm_lite"),
    ],
)
def test_faults_are_one_line_before_a_server_starts(camvid, words, told, capsys, monkeypatch):
    monkeypatch.setattr(app_command, "check_packages", lambda *names: None)
    monkeypatch.setattr(app_command.runpy, "run_module", lambda *_, **__: pytest.fail("a server was started"))
    monkeypatch.setenv(VARIABLE, "")
    assert app_command.main(words) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1 and error.startswith("error: ")

"""Two folders compared by the command: scores that do not depend on batches, faults told in a line, written first."""

import json

import numpy as np
import pytest
import torch
from commands import refused

from sdm_lite.datasets.image_files import in_threads
from sdm_lite.datasets.picture_folder import open_folder
from sdm_lite.evaluate.__main__ import main
from sdm_lite.evaluate.folders import command, judges, reading, ruler
from sdm_lite.pictures import png_bytes

pytest.importorskip("PIL")
pytestmark = pytest.mark.filterwarnings("ignore:.*tqdm.*")


class Colours:
    """A judge that any picture can be worked out for by hand: mean colours and their spread, and label = brightest."""

    name, device, num_classes, known_ids = "colours", torch.device("cpu"), 3, [0, 1, 2]

    def features(self, images):
        assert images.shape[1:] == (3, 8, 12) and -1 <= images.min() and images.max() <= 1
        return torch.cat([images.mean((2, 3)), images.std((2, 3))], dim=1)

    def perceptual_distance(self, a, b):
        return (a - b).abs().mean((1, 2, 3))

    def predict(self, images):
        return images.argmax(1)


@pytest.fixture(autouse=True)
def colours(monkeypatch):
    monkeypatch.setitem(judges.PUBLISHED, "colours", lambda device: Colours())
    monkeypatch.setenv("SDM_LITE_STATIC", "1")


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png_bytes(array))


def pictures(seed, number, spread=60, height=8, width=12):
    random = np.random.default_rng(seed)
    centres = random.integers(60, 196, (number, 1, 1, 3))
    return (centres + random.integers(-spread, spread, (number, height, width, 3))).clip(0, 255).astype(np.uint8)


@pytest.fixture
def root(tmp_path):
    """40 true pictures with label maps, and two samples for each of them."""
    for i, (true, first, second) in enumerate(zip(pictures(0, 40), pictures(1, 40), pictures(2, 40), strict=True)):
        write(tmp_path / "real" / f"p{i:02d}.png", true)
        write(tmp_path / "labels" / f"p{i:02d}.png", true.argmax(-1).astype(np.uint8))
        write(tmp_path / "samples" / f"p{i:02d}_0.png", first)
        write(tmp_path / "samples" / f"p{i:02d}_1.png", second)
    return tmp_path


def run(root, *words, real="real", samples="samples"):
    folders_given = [str(root / real), str(root / samples), "--judge", "colours", "--output", str(root / "out")]
    assert main(["folders", *folders_given, "--num-subsets", "10", *words]) == 0
    return json.loads((root / "out" / "scores.json").read_text())


def test_every_score_is_there_with_its_interval_and_the_protocol_in_words(root, capsys):
    found = run(root, "--labels", str(root / "labels"))
    keys = ["kid", "fid", "precision", "recall", "density", "coverage", "diversity", "miou"]
    assert list(found["measures"]) == keys
    for measure in found["measures"].values():
        low, high, kind = measure["interval"]
        assert low <= measure["value"] <= high and low < high and len(kind) > 20
        assert "(colours)" in measure["name"]
    assert found["num_label_maps"] == found["num_shared"] == 40 and found["samples"]["num_pictures"] == 80
    assert found["measures"]["miou"]["yardstick"]["value"] == 1.0  # by this judge, true pictures are what they are
    assert found["measures"]["miou"]["value"] < 0.7
    report, printed = (root / "out" / "report.md").read_text(), capsys.readouterr().out
    for line in found["protocol_in_words"]:
        assert line in report
    assert "widened when it reduces" in report and "FID (colours)" in printed and "JPEG, quality 75" in printed
    assert found["command"].startswith("python -m sdm_lite.evaluate folders ")


def test_scores_do_not_depend_on_the_batch_size(root):
    words = "--labels", str(root / "labels")
    one, two = run(root, "--batch-size", "1", *words), run(root, "--batch-size", "33", *words)
    for key in one["measures"]:
        assert one["measures"][key]["value"] == pytest.approx(two["measures"][key]["value"], abs=1e-6), key
        assert one["measures"][key]["interval"][:2] == pytest.approx(two["measures"][key]["interval"][:2], abs=1e-6)
    assert one["ruler"]["base"].keys() == two["ruler"]["base"].keys() >= {"diversity", "miou"}
    for row in one["ruler"]["shifts"]:
        for key, shift in one["ruler"]["shifts"][row].items():
            assert shift["value"] == pytest.approx(two["ruler"]["shifts"][row][key]["value"], abs=1e-6), (row, key)


def test_no_more_pictures_are_held_than_a_batch_and_what_threads_read_ahead(root, monkeypatch):
    held, most = [0], [0]
    read = reading.read_picture

    def counted(path):
        held[0] += 1
        most[0] = max(most[0], held[0])
        return read(path)

    class Judge(Colours):
        def features(self, images):
            held[0] -= len(images) if len(images) <= 4 else 0
            return super().features(images)

    for i, array in enumerate(pictures(7, 200)):
        write(root / "many" / f"{i}.png", array)
    monkeypatch.setattr(reading, "read_picture", counted)
    monkeypatch.setattr(reading, "in_threads", lambda function, items: in_threads(function, items, 2))
    protocol = reading.Protocol((8, 12), batch_size=4)
    found = reading.read_features(open_folder(root / "many"), Judge(), protocol)
    assert len(found.names) == 200 and most[0] <= 4 + 4 * 2 + 2


def test_diversity_is_of_samples_of_one_map_and_no_others(root):
    expected = [
        np.abs(a.astype(float) - b).mean() / 127.5 for a, b in zip(pictures(1, 40), pictures(2, 40), strict=True)
    ]
    assert run(root)["measures"]["diversity"]["value"] == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_same_pictures_under_other_names_are_found_out(root):
    for i, array in enumerate(pictures(0, 40)):
        write(root / "copies" / f"c{i}.png", array)
    found = run(root, samples="copies")
    scores = {key: measure["value"] for key, measure in found["measures"].items()}
    assert scores["precision"] == scores["recall"] == scores["coverage"] == 1 and scores["fid"] < 1e-6
    assert any("40 of its pictures are in the other folder too" in note for note in found["samples"]["notes"])
    assert any("diversity: takes two or more samples" in line for line in found["left_out"])


def test_the_ruler_has_what_it_says(root):
    """Noise that JPEG and halving change; and the samples stand as far as they are."""
    for i, array in enumerate(pictures(5, 40)):
        write(root / "flat" / f"p{i:02d}.png", np.broadcast_to(array.mean((0, 1)).astype(np.uint8), array.shape))
    found = run(root, samples="flat")
    table = found["ruler"]
    assert table["num_pictures"] == 20 and abs(table["base"]["kid"]["value"]) < 0.05
    shifts = {name: row["fid"]["value"] for name, row in table["shifts"].items()}
    assert 0 < shifts["to half the size and back, area"] < shifts["the samples in the place of half B"]
    assert shifts["JPEG, quality 95"] < shifts["JPEG, quality 50"]
    assert not any("resized" in name for name in shifts)  # nothing is
    assert any("one single colour: 40 of 40" in note for note in found["samples"]["notes"])


def test_what_alters_nothing_moves_nothing():
    """Half B as it is, and the samples of half B's names if they are half B: both rows are 0, to the last digit."""
    features = torch.randn(48, 5, generator=torch.Generator().manual_seed(0))
    names = [f"n{i}" for i in range(48)]
    found = reading.Reading(names=names, features={"plain": features, "same": features.clone()})
    order = torch.randperm(48, generator=torch.Generator().manual_seed(1))
    samples = features[order].repeat(2, 1)  # two of each name, in another order
    base, shifts = ruler._halvings(found, samples, [names[i] for i in order] * 2, 24, 0)
    assert np.abs(base).max() > 0.5 and (np.array(shifts["same"]) == 0).all()
    np.testing.assert_allclose(shifts[ruler.SAMPLES_ROW], 0, atol=1e-9)


def test_a_density_that_is_0_everywhere_has_no_interval_and_shares_of_0_have_one(root, capsys):
    for i in range(40):
        write(root / "black" / f"{i}.png", np.full((8, 12, 3), i % 20, dtype=np.uint8))
        write(root / "white" / f"{i}_.png", np.full((8, 12, 3), 200 + i, dtype=np.uint8))
    found = run(root, "--num-ruler", "0", real="white", samples="black")["measures"]
    assert found["density"]["value"] == found["precision"]["value"] == 0
    assert found["density"]["interval"] == [None, None, "none: all subsets have the same density"]
    assert found["precision"]["interval"][0] == 0 < found["precision"]["interval"][1] < 0.2
    assert "no interval" in capsys.readouterr().out


def test_number_of_pictures_moves_fid_up_and_kid_nowhere(root):
    for i, array in enumerate(pictures(9, 120)):
        write(root / "more" / f"{i}.png", array)
    row = run(root, real="more")["ruler"]["shifts"]["30 pictures in place of 60"]
    assert row["fid"]["value"] > 0 and abs(row["kid"]["value"]) < 0.01
    assert "miou" not in row


def test_other_sizes_are_told_and_brought_to_the_samples_size(root):
    for i, array in enumerate(pictures(11, 40, height=24, width=24)):
        write(root / "large" / f"{i}.png", array)
    found = run(root, real="large")
    assert found["real"]["sizes"] == "24 x 24"
    (note,) = found["real"]["notes"]
    assert "40 of 40 pictures are resized, filter bicubic; 40 of them change their shape" in note
    names = list(found["ruler"]["shifts"])
    assert names[:3] == [
        "resized by bilinear, not bicubic",
        "resized by area, not bicubic",
        "resized by bilinear with aliasing (torch, OpenCV)",
    ]
    assert found["ruler"]["shifts"][names[2]]["fid"]["value"] > found["ruler"]["shifts"][names[0]]["fid"]["value"]


@pytest.mark.parametrize("scale, note", [(1 / 255, "times 255"), (0.2, "values are from")])
def test_values_in_another_range_are_told(root, scale, note):
    for i, array in enumerate(pictures(1, 40)):
        write(root / "dark" / f"{i}.png", (array * scale).astype(np.uint8))
    assert any(note in line for line in run(root, samples="dark")["samples"]["notes"])


def test_scores_are_on_the_disk_before_the_ruler_fails(root, monkeypatch, capsys):
    def fail(*_, **__):
        raise ValueError("the ruler broke")

    monkeypatch.setattr(command, "measure_ruler", fail)
    words = [str(root / "real"), str(root / "samples"), "--judge", "colours", "--output", str(root / "out")]
    refused(capsys, main, ["folders", *words, "--num-subsets", "4"], "the ruler broke")
    found = json.loads((root / "out" / "scores.json").read_text())
    assert found["measures"]["fid"]["value"] > 0 and found["ruler"] is None


def test_a_truncated_file_is_told_or_left_out(root, capsys):
    bad = root / "samples" / "p00_0.png"
    bad.write_bytes(bad.read_bytes()[:-60])  # its head is whole
    words = ["folders", str(root / "real"), str(root / "samples"), "--judge", "colours", "--output", str(root / "out")]
    refused(capsys, main, words, r"p00_0\.png: .*; replace the file, or leave it out with --skip-bad")
    found = run(root, "--skip-bad")
    assert found["samples"]["num_pictures"] == 79 and "p00_0.png" in found["samples"]["left_out"][0]


def test_features_that_are_no_numbers_name_the_file(root, monkeypatch, capsys):
    class Broken(Colours):
        def features(self, images):
            return super().features(images) / (images.mean((1, 2, 3)) > -0.3)[:, None]

    monkeypatch.setitem(judges.PUBLISHED, "colours", lambda device: Broken())
    monkeypatch.setattr(command, "_check_size", lambda *_: None)
    write(root / "real" / "p17.png", np.zeros((8, 12, 3), dtype=np.uint8))
    for i in set(range(40)) - {17}:
        write(root / "real" / f"p{i:02d}.png", np.full((8, 12, 3), 120 + i, dtype=np.uint8))
    words = ["folders", str(root / "real"), str(root / "samples"), "--judge", "colours", "--output", str(root / "out")]
    refused(capsys, main, words, r"colours has nan or infinite features for .*p17\.png: take that picture out")


def test_a_class_that_no_label_map_has_is_wrong_and_no_class_of_its_own(root, monkeypatch):
    """Where red should be read, the segmenter reads something else: red has IoU 0, the others what they had."""

    class Partly(Colours):
        def predict(self, images):
            found = super().predict(images)
            return torch.where(found == 0, -1, found)

    before = run(root, "--labels", str(root / "labels"))["measures"]["miou"]
    monkeypatch.setitem(judges.PUBLISHED, "colours", lambda device: Partly())
    found = run(root, "--labels", str(root / "labels"))
    assert found["measures"]["miou"]["yardstick"]["value"] == pytest.approx(2 / 3)  # of 0, 1, 1
    assert found["class_iou"]["0"] == 0 and found["measures"]["miou"]["value"] < before["value"]
    Partly.known_ids = [1, 2]  # red is nothing that it could see
    assert run(root, "--labels", str(root / "labels"))["measures"]["miou"]["yardstick"]["value"] == 1


def test_void_counts_for_nothing_and_another_foreign_id_is_refused(root, capsys):
    labels = pictures(0, 40)[0].argmax(-1).astype(np.uint8)
    labels[:2] = 255
    write(root / "labels" / "p00.png", labels)
    assert run(root, "--labels", str(root / "labels"))["measures"]["miou"]["yardstick"]["value"] == 1.0
    labels[0] = 9
    write(root / "labels" / "p00.png", labels)
    words = ["folders", str(root / "real"), str(root / "samples"), "--judge", "colours", "--output", str(root / "out")]
    refused(
        capsys,
        main,
        [*words, "--labels", str(root / "labels")],
        r"ids 0\.\.2, or void \[255\], in .*p00\.png, got \[9\]",
    )
    assert run(root, "--labels", str(root / "labels"), "--void", "9", "255")["measures"]["miou"]["value"] > 0


@pytest.mark.parametrize(
    "words, message",
    [
        (["--batch-size", "0"], "--batch-size must be at least 1, got 0"),
        (["--num-subsets", "1"], "--num-subsets must be at least 2, got 1"),
        (["--size", "0", "4"], "--size must be at least 1 x 1, got 0 x 4"),
        (["--judge", "nobody"], "no weights called 'nobody'"),
        (["--judge", "judge-32", "--size", "9", "9"], "Scenes judge cannot read 9 x 9 pixels .*give --size"),
        (["--segmenter", "x", "--segmenter-ids", "same"], "takes --segmenter-ids and --classes, got one of them alone"),
        (["--labels", "nowhere"], "folder of label maps at nowhere, got nothing"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(root, capsys, monkeypatch, words, message):
    monkeypatch.setattr(command, "compare_folders", None)
    given = [str(root / "real"), str(root / "samples"), "--judge", "colours", "--output", str(root / "out")]
    refused(capsys, main, ["folders", *given, *words], message)


def test_too_few_pictures_and_samples_of_several_sizes_are_refused(root, capsys):
    for i in range(11):
        write(root / "few" / f"{i}.png", pictures(1, 1)[0])
    output = ["--judge", "colours", "--output", str(root / "out")]
    refused(capsys, main, ["folders", str(root / "real"), str(root / "few"), *output], "at least 12 .* got 11")
    write(root / "samples" / "p00_0.png", pictures(1, 1, height=9)[0])
    words = ["folders", str(root / "real"), str(root / "samples"), *output]
    refused(capsys, main, words, r"one size in .*, got 2 sizes \(8 x 12, 9 x 12\): give --size HEIGHT WIDTH")


def test_help_names_the_judges_and_the_names_of_samples(capsys):
    with pytest.raises(SystemExit) as left:
        main(["folders", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    assert left.value.code == 0 and "colours" in told and "NAME_0.png, NAME_1.png" in told


def test_a_model_is_still_a_model(capsys):
    refused(capsys, main, ["nobody"], "no weights called 'nobody'")

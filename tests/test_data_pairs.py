"""Labels from subfolders, pictures in pairs, collections without pairs."""

import warnings

import numpy as np
import pytest
from PIL import Image

from gan_utils import data


def save(path, value, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def level(samples):
    return np.rint(127.5 * (samples[:, 0, 0, 0] + 1)).astype(int).tolist()


def test_labels_are_the_places_of_the_subfolders(tmp_path):
    for name, value in (("b/x.png", 10), ("a/deep/y.png", 20), ("a/z.png", 30)):
        save(tmp_path / name, value)
    save(tmp_path / "alone.png", 40)
    with pytest.warns(UserWarning, match="in no subfolder"):
        folder = data.Folder(tmp_path, size=(8, 8), labels="subfolders")
    read = folder.read(np.arange(3))
    assert folder.classes == ["a", "b"] and read["label"].dtype == np.int32
    assert dict(zip(level(read["real"]), read["label"].tolist(), strict=True)) == {20: 0, 30: 0, 10: 1}
    with pytest.raises(ValueError, match="'subfolders' or None"):
        data.Folder(tmp_path, size=(8, 8), labels="names")


def test_a_broken_file_gives_the_label_of_the_one_that_takes_its_place(tmp_path):
    save(tmp_path / "a/1.png", 10)
    save(tmp_path / "b/2.png", 20)
    whole = (tmp_path / "a/1.png").read_bytes()
    folder = data.Folder(tmp_path, size=(8, 8), labels="subfolders")
    (tmp_path / "a/1.png").write_bytes(whole[:-30])
    with pytest.warns(UserWarning, match="skipped"):
        read = folder.read(np.array([0]))
    assert level(read["real"]) == [20] and read["label"].tolist() == [1]


def test_pairs_have_one_name(tmp_path):
    for number in range(3):
        save(tmp_path / f"edges/{number}.png", 10 + number)
        save(tmp_path / f"photos/{number}.jpg", 100 + number)
    save(tmp_path / "edges/alone.png", 1)
    with pytest.warns(UserWarning, match="1 files have no partner"):
        pairs = data.Pairs(tmp_path / "edges", tmp_path / "photos", size=(8, 8), condition_channels=1)
    read = pairs.read(np.array([2, 0]))
    assert read["condition"].shape == (2, 8, 8, 1) and read["real"].shape == (2, 8, 8, 3)
    assert level(read["condition"]) == [12, 10] and np.allclose(level(read["real"]), [102, 100], atol=2)
    assert len(pairs) == 3 and "no picture of this name" in str(pairs.refused)


@pytest.mark.parametrize("swapped", [False, True])
def test_pairs_side_by_side(tmp_path, swapped):
    joined = Image.new("RGB", (16, 8), (10, 10, 10))
    joined.paste((200, 200, 200), (8, 0, 16, 8))
    joined.save(tmp_path / "a.png")
    read = data.Pairs(tmp_path, size=(8, 8), swapped=swapped).read(np.array([0]))
    found = level(read["condition"]), level(read["real"])
    assert found == (([200], [10]) if swapped else ([10], [200]))


def test_pairs_that_do_not_belong_together_are_skipped(tmp_path):
    save(tmp_path / "a/1.png", 10, (8, 8))
    save(tmp_path / "b/1.png", 20, (16, 8))
    save(tmp_path / "a/2.png", 30)
    save(tmp_path / "b/2.png", 40)
    pairs = data.Pairs(tmp_path / "a", tmp_path / "b", size=(8, 8))
    with pytest.warns(UserWarning, match="two proportions"):
        read = pairs.read(np.array([0]))
    assert level(read["condition"]) == [30] and level(read["real"]) == [40]
    with pytest.raises(ValueError, match="no two files of one name"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save(tmp_path / "c/other.png", 1)
        data.Pairs(tmp_path / "a", tmp_path / "c", size=(8, 8))


def test_collections_without_pairs_are_read_by_indices_of_their_own(tmp_path):
    for number in range(3):
        save(tmp_path / f"a/{number}.png", number)
    for number in range(2):
        save(tmp_path / f"b/{number}.png", 100 + number)
    both = data.Unpaired(a=data.Folder(tmp_path / "a", size=(8, 8)), b=data.Folder(tmp_path / "b", size=(8, 8)))
    read = both.read_own(np.array([2, 1]), {"b": np.array([0, 1])})
    assert level(read["a"]) == [2, 1] and level(read["b"]) == [100, 101]
    with pytest.raises(ValueError, match="two sources or more"):
        data.Unpaired(a=data.Folder(tmp_path / "a", size=(8, 8)))

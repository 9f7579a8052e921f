"""Files are known by what they decode to; nothing else is started, nothing blocks, nothing is passed over."""

import os
import random
import warnings

import numpy as np
import pytest
from PIL import Image

from gan_utils import data
from gan_utils.data import pictures

RANDOM = np.random.default_rng(0)


def noise(size=(6, 5), mode="RGB"):
    shape = (size[1], size[0], 3) if mode == "RGB" else (size[1], size[0])
    return Image.fromarray(RANDOM.integers(0, 255, shape, np.uint8))


@pytest.mark.parametrize("ending", sorted(pictures.endings() & set(Image.registered_extensions())))
def test_every_ending_is_found_and_read(tmp_path, ending):
    kind = Image.registered_extensions()[ending]
    if kind not in Image.SAVE or ending in (".pfm", ".bw", ".pbm", ".psd"):
        return
    noise((16, 16)).save(tmp_path / f"a{ending.upper()}", format=kind)
    source = data.Folder(tmp_path, size=(4, 4))
    assert len(source) == 1 and source.read(np.array([0]))["real"].shape == (1, 4, 4, 3)


@pytest.mark.parametrize("name", ["a", "a.dat", "a.jpg", "a.txt"])
def test_the_contents_decide_and_not_the_name(tmp_path, name):
    noise().save(tmp_path / name, format="png")
    assert len(data.Folder(tmp_path, size=(4, 4))) == 1


def test_text_beside_pictures_is_passed_over_and_everything_else_is_named(tmp_path):
    noise().save(tmp_path / "a.png")
    (tmp_path / "labels.csv").write_text("a,1")
    assert len(data.Folder(tmp_path, size=(4, 4), on_error="raise")) == 1
    (tmp_path / "b.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (tmp_path / "c.svg").write_text("<svg/>")
    (tmp_path / "d.npy").write_bytes(b"\x93NUMPY\0")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    with pytest.warns(UserWarning, match=r"left out link \(a link to a folder.*b\.heic .*c\.svg .*d\.npy"):
        assert len(data.Folder(tmp_path, size=(4, 4), on_error="raise")) == 1


def test_a_program_for_another_kind_of_file_is_never_started(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "gs"
    program.write_text(f"#!/bin/sh\necho called >> {tmp_path}/log\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    postscript = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"
    for name in ("a.jpg", "b.eps", "c.ps"):
        (tmp_path / name).write_text(postscript)
        with pytest.raises(pictures.BadPicture, match="cannot identify"):
            pictures.read(tmp_path / name)
    assert not (tmp_path / "log").exists()


def test_what_is_no_regular_file_is_refused_without_opening_it(tmp_path):
    noise().save(tmp_path / "a.png")
    (tmp_path / "folder.png").mkdir()
    assert len(data.Folder(tmp_path, size=(4, 4), on_error="raise")) == 1
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "broken.gif").symlink_to("nowhere")
    with pytest.warns(UserWarning, match="left out"):
        source = data.Folder(tmp_path, size=(4, 4))
    told = {path.name: reason for path, reason in source.refused.items()}
    regular = "it is no regular file"
    assert told == {"pipe.png": regular, "device.jpg": regular, "broken.gif": "it does not exist"}


def test_a_folder_that_cannot_be_listed_is_named(tmp_path, monkeypatch):
    noise().save(tmp_path / "a.png")
    (tmp_path / "locked").mkdir()
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.warns(UserWarning, match=r"locked \(PermissionError: Permission denied"):
        data.Folder(tmp_path, size=(4, 4))
    with pytest.raises(ValueError, match=r"locked cannot be used"):
        data.Folder(tmp_path, size=(4, 4), on_error="raise")


def test_names_may_hold_any_bytes(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    os.mkdir(folder)
    noise().save(folder + "/\udce8.png")
    (tmp_path / os.path.basename(folder) / "\udcff.png").write_bytes(b"broken")
    with pytest.warns(UserWarning, match=r"caf\\udce9: left out \\udcff.png") as told:
        source = data.Folder(folder, size=(4, 4))
    assert str(told[0].message).encode() and len(source) == 1 and len(source.fingerprint()) == 64


def turned(size):
    image, exif = noise(size), Image.Exif()
    exif[0x0112] = 6
    return image, exif


def test_the_shape_is_that_of_the_picture_as_it_is_seen(tmp_path):
    image, exif = turned((8, 4))
    for name in ("a.png", "a.jpg", "a.webp", "a.tiff"):
        image.save(tmp_path / name, exif=exif)
        assert pictures.read(tmp_path / name).shape == (8, 4, 3)
    image.convert("LA").save(tmp_path / "b.png")
    image.convert("P").save(tmp_path / "c.png")
    shapes = [pictures.read(tmp_path / name).shape for name in ("b.png", "c.png")]
    assert shapes == [(4, 8, 1), (4, 8, 3)]
    assert not data.Folder(tmp_path, size=(2, 2)).original_shapes
    source = data.Folder(tmp_path, size=(2, 2))
    source.read(np.arange(len(source)))
    assert source.original_shapes == {(8, 4, 3), (4, 8, 1), (4, 8, 3)}


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_pixels_of_unknown_range_are_refused(tmp_path, kind):
    Image.fromarray(np.arange(16).reshape(4, 4).astype(kind)).save(tmp_path / "a.tiff")
    with pytest.raises(pictures.BadPicture, match="unknown range"):
        pictures.read(tmp_path / "a.tiff")


def test_sixteen_bits_keep_their_scale_and_fewer_bits_are_warned_of(tmp_path):
    full = (np.arange(256) * 257).astype(np.uint16).reshape(16, 16)
    Image.fromarray(full).save(tmp_path / "a.png")
    Image.fromarray(full).save(tmp_path / "a.tiff")
    (tmp_path / "a.pgm").write_bytes(b"P5 16 16 65535\n" + full.astype(">u2").tobytes())
    (tmp_path / "b.pgm").write_bytes(b"P5 16 16 4095\n" + (full // 16).astype(">u2").tobytes())
    source = data.Folder(tmp_path, size=(16, 16), channels=1)
    expected = np.arange(256).reshape(16, 16, 1) / 127.5 - 1
    for found in source.read(np.arange(4))["real"]:
        assert np.allclose(found, expected, atol=1 / 120)
    for name in ("a.png", "a.tiff", "a.pgm", "b.pgm"):
        (tmp_path / name).unlink()
    Image.fromarray(full // 16).save(tmp_path / "dark.png")
    dark = data.Folder(tmp_path, size=(16, 16), channels=1)
    with pytest.warns(UserWarning, match="no value above 4,095"):
        dark.read(np.array([0]))
    dark.read(np.array([0]))  # told once
    Image.fromarray(full).save(tmp_path / "light.png")
    data.Folder(tmp_path, size=(16, 16), channels=1).read(np.array([0, 1]))  # one range for both


def test_whatever_a_decoder_raises_is_a_bad_file(tmp_path, monkeypatch):
    noise().save(tmp_path / "a.jpg")

    def fail(*_):
        raise kind("of no use")

    monkeypatch.setattr(pictures.ImageOps, "exif_transpose", fail)
    for kind in (TypeError, KeyError, MemoryError, RecursionError, ZeroDivisionError, AssertionError, OSError):
        with pytest.raises(pictures.BadPicture, match=f"{kind.__name__}: .*of no use"):
            pictures.read(tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff", "gif", "webp", "bmp", "tga", "ppm", "qoi", "dds", "ico"])
def test_damaged_files_are_read_or_bad(tmp_path, kind):
    image, exif = turned((12, 8))
    exif.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)
    path, chance, kept = tmp_path / f"a.{kind}", random.Random(0), 0
    image.save(path, format=kind, exif=exif) if kind in ("jpeg", "png", "tiff", "webp") else image.save(path, kind)
    whole = path.read_bytes()
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own words about the damage
            try:
                kept += pictures.read(path).image.mode in ("L", "RGB")
            except pictures.BadPicture as error:
                assert str(error)
    assert kept < 60 or kind in ("bmp", "ppm", "qoi", "dds", "tga")


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": None},
        {"size": 8},
        {"size": "ab"},
        {"size": (8, 8, 3)},
        {"size": (8.0, 8)},
        {"size": (True, 8)},
        {"size": None},
        {"channels": True},
        {"channels": "3"},
        {"resize": ["crop"]},
        {"on_error": None},
        {"max_pixels": 0},
        {"max_pixels": 1e6},
    ],
    ids=str,
)
def test_wrong_arguments_are_named(tmp_path, wrong):
    noise().save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=rf"{next(iter(wrong))}.* expected"):
        data.Folder(**{"path": tmp_path, "size": (4, 4), **wrong})


def test_numbers_of_numpy_are_taken(tmp_path):
    noise().save(tmp_path / "a.png")
    source = data.Folder(
        tmp_path, size=np.array([4, 4]), channels=np.int64(1), max_pixels=np.int64(100)
    )  # fmt: skip
    assert source.read(np.arange(1))["real"].shape == (1, 4, 4, 1)
    assert source.fingerprint() == data.Folder(tmp_path, size=(4, 4), channels=1, max_pixels=100).fingerprint()

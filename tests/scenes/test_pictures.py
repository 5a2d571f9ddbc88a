from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from viewsweep.scenes.errors import UnreadableFile, UserError
from viewsweep.scenes.pictures import Picture, inside, natural, nearest, picture_size, read_depth, read_picture


def gradient(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns * 255 // width, rows * 255 // height, 0 * rows + 40], -1).astype(np.uint8)


# -- pictures --------------------------------------------------------------------------------------


def test_colour_survives(tmp_path):
    Image.fromarray(gradient(5, 7)).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.rgb, gradient(5, 7))
    assert picture.alpha is None
    assert picture.size == picture_size(tmp_path / "a.png") == (7, 5)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "I;16"])
def test_other_modes_become_rgb(tmp_path, mode):
    if mode == "I;16":
        image = Image.fromarray(np.full((4, 6), 200 * 257, np.uint16))
    else:
        image = Image.new("L", (6, 4), 200).convert(mode)
    image.save(tmp_path / "a.tif")
    rgb = read_picture(tmp_path / "a.tif").rgb
    assert rgb.shape == (4, 6, 3)
    assert abs(rgb.astype(int) - 200).max() <= 1


def test_transparent_pixels_are_laid_over_white(tmp_path):
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, 1] = (255, 0, 0, 255)
    rgba[0, 2] = (0, 0, 0, 128)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png")
    assert picture.rgb[0, 0].tolist() == [255, 255, 255]
    assert picture.rgb[0, 1].tolist() == [255, 0, 0]
    assert abs(int(picture.rgb[0, 2, 0]) - 127) <= 1
    assert picture.alpha.tolist() == [[0, 255, 128]]


def test_exif_orientation_is_followed_only_where_asked(tmp_path):
    image = Image.fromarray(gradient(4, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    image.save(tmp_path / "a.jpg", exif=exif)
    assert read_picture(tmp_path / "a.jpg").size == (8, 4)
    assert read_picture(tmp_path / "a.jpg", upright=True).size == (4, 8)


def test_a_picture_with_damaged_exif_stays_as_it_is_stored(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.jpg"
    Image.fromarray(gradient(4, 8)).save(path, exif=exif)
    content = path.read_bytes()
    assert b"MM\0*" in content or b"II*\0" in content
    path.write_bytes(content.replace(b"MM\0*", b"MM\0l").replace(b"II*\0", b"IIl\0"))
    assert read_picture(path, upright=True).size == (8, 4)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_truncated_pictures_are_named(tmp_path, suffix, share):
    path = tmp_path / f"0007.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UnreadableFile, match=rf"0007\.{suffix}: not a readable picture"):
        read_picture(path)


def test_missing_foreign_and_too_deep_pictures_are_named(tmp_path):
    with pytest.raises(UnreadableFile, match=r"a\.png: not a readable picture \(there is no such file\)"):
        read_picture(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("<svg/>")
    with pytest.raises(UnreadableFile, match=r"b\.png: not a readable picture"):
        read_picture(tmp_path / "b.png")
    Image.new("L", (2, 2)).save(tmp_path / "c.png", format="GIF")  # a decoder we do not need
    with pytest.raises(UnreadableFile, match=r"c\.png"):
        read_picture(tmp_path / "c.png")
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "d.tif")
    with pytest.raises(UnreadableFile, match=r"d\.tif: a picture of mode F"):
        read_picture(tmp_path / "d.tif")


def test_decompression_bombs_are_refused(tmp_path, monkeypatch):
    Image.new("L", (60, 60)).save(tmp_path / "a.png")
    for limit in (3000, 1000):  # Pillow warns above its limit and stops above twice that
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(UnreadableFile, match=r"a\.png: too large to be opened safely"):
            read_picture(tmp_path / "a.png")


def test_square_takes_the_middle():
    rgb = np.zeros((6, 10, 3), np.uint8)
    rgb[:, 2:8] = 255
    assert (Picture(rgb).square(6).rgb == 255).all()
    tall = Picture(rgb.transpose(1, 0, 2).copy(), np.full((10, 6), 7, np.uint8)).square(6)
    assert (tall.rgb == 255).all()
    assert (tall.alpha == 7).all()


def test_square_is_resize_then_crop():
    """The same picture as resizing the short side by LANCZOS and cutting the middle out."""
    rgb = np.random.default_rng(0).integers(0, 255, (24, 40, 3), np.uint8)
    resized = np.asarray(Image.fromarray(rgb).resize((20, 12), Image.Resampling.LANCZOS))
    assert abs(Picture(rgb).square(12).rgb.astype(int) - resized[:, 4:16]).max() <= 1


def test_resizing_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    assert abs(Picture(stripes).square(8).rgb.astype(int) - 128).max() < 12


# -- depth -----------------------------------------------------------------------------------------


def test_depth_of_16_bit_pictures_is_in_millimetres(tmp_path):
    Image.fromarray(np.array([[0, 1500], [65535, 1]], np.uint16)).save(tmp_path / "a.png")
    depth = read_depth(tmp_path / "a.png", 1e-3)
    assert depth.dtype == np.float32
    assert math.isnan(depth[0, 0])
    assert depth[0, 1] == pytest.approx(1.5)
    assert depth[1].tolist() == pytest.approx([65.535, 0.001])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint16, np.float16])
def test_depth_arrays_take_the_same_unit(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.array([[[2000], [0]]], dtype))
    depth = read_depth(tmp_path / "a.npy", 1e-3)
    assert depth.shape == (1, 2)
    assert depth[0, 0] == pytest.approx(2.0)
    assert math.isnan(depth[0, 1])


def test_senseless_depth_is_no_surface(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[-1.0, math.inf, math.nan, 1e60, 2.0]]))
    assert np.isfinite(read_depth(tmp_path / "a.npy", 1.0)).tolist() == [[False, False, False, False, True]]


def test_unreadable_depth_is_named(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 4)))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-8])
    np.save(tmp_path / "b.npy", np.ones((4, 4, 3)))
    np.save(tmp_path / "c.npy", np.array([[{"code": 1}]]), allow_pickle=True)
    np.save(tmp_path / "d.npy", np.array([["far"]]))
    Image.new("L", (2, 2)).save(tmp_path / "e.png")
    np.save(tmp_path / "g.npy", np.ones((4, 4)))
    (tmp_path / "g.npy").write_bytes((tmp_path / "g.npy").read_bytes().replace(b"(4, 4), }", b"(4, 4    "))
    for name in ("a.npy", "b.npy", "c.npy", "d.npy", "e.png", "f.npy", "g.npy"):
        with pytest.raises(UnreadableFile, match=name):
            read_depth(tmp_path / name, 1.0)


def test_nearest_matches_pixel_centres():
    values = np.arange(8.0)[None].repeat(2, 0)
    assert nearest(values, (0, 0, 8, 2), (4, 1)).tolist() == [[1, 3, 5, 7]]  # centres 1, 3, 5, 7 fall on edges: right
    assert nearest(values, (0, 0, 8, 2), (16, 2))[0].tolist() == np.arange(8).repeat(2).tolist()
    assert nearest(values, (2, 0, 4, 2), (2, 2))[0].tolist() == [2, 3]


# -- names -----------------------------------------------------------------------------------------


def test_names_stay_in_their_folder(tmp_path):
    assert inside(tmp_path, "images/../depth/a.png") == tmp_path / "depth" / "a.png"
    assert inside(tmp_path, "./a.png") == tmp_path / "a.png"


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "a/../../b.png", "..\\a.png", "C:/a.png", "a\0.png"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    with pytest.raises(UserError, match="leads out of this folder"):
        inside(tmp_path, name)


def test_numbers_in_names_are_numbers():
    names = ["r_10.png", "r_2.png", "a1b2", "a1b10", "r_²", "10", "9"]
    assert sorted(names, key=natural) == ["9", "10", "a1b2", "a1b10", "r_2.png", "r_10.png", "r_²"]

"""Files of arrays and of images are read as their makers wrote them; what is hostile or damaged is refused by name."""

import gzip
import io
import json
import os
import pickle
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file
from sklearn.datasets import load_digits

from api_schemas.datasets import ColumnChoice
from training.data.arrays import inspect_arrays
from training.data.refusal import Limits, UnreadableTable
from training.data.tables import load_arrays, save_arrays

PIXELS, DIGITS = load_digits(return_X_y=True)
IMAGES = PIXELS.reshape(-1, 8, 8).astype(np.uint8)


def idx(array):
    """An IDX file, written by hand."""
    kinds = {"uint8": 0x08, "float32": 0x0D}
    header = struct.pack(f">HBB{array.ndim}I", 0, kinds[str(array.dtype)], array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def picture(pixels, form="PNG", **more):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **more)
    return file.getvalue()


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def inspected(tmp_path):
    def look(form, files, choices=(), target=None, **limits):
        paths = {name: tmp_path / str(place) for place, name in enumerate(files)}
        for name, path in paths.items():
            path.write_bytes(files[name])
        return inspect_arrays(paths, form, choices, target, Limits(**limits))

    return look


@pytest.fixture
def npz(inspected):
    def look(target=None, choices=(), **arrays):
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return inspected("npz", {"a.npz": file.getvalue()}, choices, target)

    return look


def column(found, name):
    return next(column for column in found.columns if column.name == name)


def test_images_of_an_npz_are_one_column_and_keep_their_bytes(npz, tmp_path):
    found = npz(x=IMAGES, y=DIGITS)
    assert [(column.name, column.type, column.role) for column in found.columns] == [
        ("x", "array", "feature"),
        ("y", "numeric", "target"),
    ]
    stats = column(found, "x").stats
    assert (stats.shape, stats.minimum, stats.maximum) == ([8, 8], 0, 16)
    assert (stats.mean, stats.std) == (pytest.approx(PIXELS.mean()), pytest.approx(PIXELS.std()))
    assert column(found, "y").stats.counts == np.bincount(DIGITS).tolist()
    save_arrays(tmp_path / "arrays", found.arrays)
    kept = load_arrays(tmp_path / "arrays")
    assert isinstance(kept["x"], np.memmap)
    assert kept["x"].dtype == np.uint8
    np.testing.assert_array_equal(kept["x"], PIXELS)
    np.testing.assert_array_equal(kept["y"], DIGITS)


def test_channels_that_come_last_are_turned_and_said_so(npz):
    x = np.random.default_rng(0).random((12, 5, 6, 3), np.float32)
    found = npz(x=x, y=np.arange(12) % 2)
    assert column(found, "x").stats.shape == [3, 5, 6]
    assert [fault.code for fault in found.warnings] == ["channels_last"]
    np.testing.assert_array_equal(found.arrays["x"].reshape(12, 3, 5, 6), x.transpose(0, 3, 1, 2))
    assert npz(x=x.transpose(0, 3, 1, 2), y=np.arange(12) % 2).warnings == []


def test_rows_of_numbers_are_columns_and_text_is_a_class(npz):
    found = npz(x=np.arange(40.0).reshape(20, 2) % 7, y=np.array(["no", "yes"] * 10))
    assert [column.name for column in found.columns] == ["x1", "x2", "y"]
    assert column(found, "y").stats.categories == ["no", "yes"]
    np.testing.assert_array_equal(found.arrays["x2"], np.arange(40.0)[1::2] % 7)


def test_long_rows_are_one_array(npz):
    found = npz(x=np.zeros((5, 1001), np.int64) + np.arange(5)[:, None], y=np.arange(5))
    assert column(found, "x").stats.shape == [1001]
    assert found.arrays["x"].dtype == np.float64


def test_parts_such_as_keras_and_medmnist_write_them_are_the_split(npz):
    keras = npz(x_train=IMAGES[:100], y_train=DIGITS[:100], x_test=IMAGES[100:130], y_test=DIGITS[100:130])
    labels = {f"{part}_labels": DIGITS[rows, None] for part, rows in _PARTS.items()}
    medmnist = npz(**{f"{part}_images": IMAGES[rows] for part, rows in _PARTS.items()}, **labels)
    assert column(keras, "split").stats.counts == [30, 100]
    assert column(medmnist, "split").stats.categories == ["test", "train", "validation"]
    assert (medmnist.target, column(medmnist, "split").role) == ("labels", "split")
    np.testing.assert_array_equal(medmnist.arrays["images"], PIXELS[:130])


_PARTS = {"train": slice(0, 80), "val": slice(80, 100), "test": slice(100, 130)}


def test_a_split_of_words_is_the_split(npz):
    found = npz(x=IMAGES[:10], y=DIGITS[:10], split=np.array(["train"] * 8 + ["test"] * 2))
    assert column(found, "split").role == "split"


def test_another_target_is_named_and_what_is_left_out_is_said(npz):
    found = npz(x=IMAGES, digit=DIGITS, writer=np.arange(len(DIGITS)), target="digit")
    assert found.target == "digit"
    (warning,) = found.warnings
    assert "'writer'" in warning.message


def test_safetensors_holds_the_same(inspected, tmp_path):
    save_file({"x": IMAGES, "y": DIGITS.astype(np.int64)}, tmp_path / "made.safetensors")
    found = inspected("safetensors", {"a.safetensors": (tmp_path / "made.safetensors").read_bytes()})
    np.testing.assert_array_equal(found.arrays["x"], PIXELS)
    assert found.target == "y"


@pytest.mark.parametrize("packed", [False, True])
def test_the_four_files_of_mnist_are_one_dataset_with_its_split(inspected, packed):
    files = {
        "train-labels-idx1-ubyte": idx(DIGITS[:50].astype(np.uint8)),
        "t10k-images-idx3-ubyte": idx(IMAGES[50:60]),
        "train-images-idx3-ubyte": idx(IMAGES[:50]),
        "t10k-labels-idx1-ubyte": idx(DIGITS[50:60].astype(np.uint8)),
    }
    found = inspected("idx", {n: gzip.compress(f) for n, f in files.items()} if packed else files)
    np.testing.assert_array_equal(found.arrays["x"], PIXELS[:60])
    np.testing.assert_array_equal(found.arrays["y"], DIGITS[:60])
    assert column(found, "split").stats.counts == [10, 50]
    assert column(found, "x").stats.shape == [8, 8]


def test_idx_of_other_types_is_read_by_its_header(inspected):
    x = np.random.default_rng(0).random((6, 5, 2)).astype(np.float32)
    found = inspected("idx", {"x.idx": idx(x), "y.idx": idx(np.arange(6).astype(np.uint8))})
    np.testing.assert_array_equal(found.arrays["x"], x.reshape(6, 10))


def test_a_zip_from_a_mac_is_its_images_and_nothing_else(inspected):
    files = {"pets/.DS_Store": b"x", "__MACOSX/pets/cat/._0.png": b"Mac OS X", "pets/notes.txt": b"by hand"}
    for row, image in enumerate(IMAGES[:20]):
        files[f"pets/{('cat', 'dog')[row % 2]}/{row:02}.png"] = picture(image)
    found = inspected("images", {"pets.zip": zipped(files)})
    assert column(found, "x").stats.shape == [1, 8, 8]
    assert column(found, "y").stats.counts == [10, 10]
    np.testing.assert_array_equal(found.arrays["x"], PIXELS[[*range(0, 20, 2), *range(1, 20, 2)]])
    assert [fault.code for fault in found.warnings] == ["left_out"]


def test_folders_train_and_test_are_the_split(inspected):
    files = {
        f"{part}/{label}/{n}.bmp": picture(IMAGES[n], "BMP")
        for part in ("train", "test")
        for label in "ab"
        for n in range(3)
    }
    assert column(inspected("images", {"a.zip": zipped(files)}), "split").stats.categories == ["test", "train"]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_every_kind_of_image_is_read_as_pillow_reads_it(inspected, form):
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (4, 8, 6, 3), dtype=np.uint8)
    made = [picture(pixels, form) for pixels in colours]
    found = inspected("images", {"a.zip": zipped({f"{'ab'[n % 2]}/{n}.{form.lower()}": f for n, f in enumerate(made)})})
    truth = np.array([np.asarray(Image.open(io.BytesIO(made[n])).convert("RGB")) for n in (0, 2, 1, 3)])
    np.testing.assert_array_equal(found.arrays["x"].reshape(4, 3, 8, 6), truth.transpose(0, 3, 1, 2))


def test_a_photograph_is_turned_as_its_camera_was_held(inspected):
    upright = np.zeros((6, 4, 3), np.uint8)
    upright[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = picture(np.rot90(upright), "JPEG", exif=exif, quality=100)
    files = {"a/0.jpg": turned, "b/1.png": picture(upright)}
    found = inspected("images", {"a.zip": zipped(files)})
    assert column(found, "x").stats.shape == [3, 6, 4]
    first, second = found.arrays["x"].reshape(2, 3, 6, 4).astype(float)
    assert np.abs(first - second).mean() < 10


def test_images_of_several_sizes_are_resized_when_asked_or_nearly_all_agree(inspected):
    files = {f"{'ab'[n % 2]}/{n:02}.png": picture(IMAGES[n]) for n in range(20)}
    odd = files | {"a/odd.png": picture(np.zeros((5, 9), np.uint8))}
    found = inspected("images", {"a.zip": zipped(odd)})
    assert (column(found, "x").stats.shape, found.warnings[0].code) == ([1, 8, 8], "resized")
    found = inspected("images", {"a.zip": zipped(odd)}, [ColumnChoice(name="x", size=(4, 6))])
    assert column(found, "x").stats.shape == [1, 4, 6]
    many = {f"{'ab'[n % 2]}/{n}.png": picture(np.zeros((n + 1, 3), np.uint8)) for n in range(5)}
    with pytest.raises(UnreadableTable, match="5 sizes") as refused:
        inspected("images", {"a.zip": zipped(many)})
    assert refused.value.fault.pointer == "/image_size"


def _png_of(width, height, *more):
    """The header of a PNG, one chunk more if that is given, and a little of its pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header, added = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), chunk(*more) if more else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + added
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def _npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


class _Harm:
    def __reduce__(self):
        return os.system, ("false",)


def _claiming(shape):
    """An NPZ whose array says that it is larger than it is."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return zipped({"x.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(80)})


def _safetensors(header, data=bytes(16)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _links():
    """A zip whose images are links to a file of the machine."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("a/1.png", "b/2.png"):
            link = zipfile.ZipInfo(name)
            link.create_system, link.external_attr = 3, 0o120777 << 16
            archive.writestr(link, "/etc/passwd")
    return file.getvalue()


def _array_of(shape, *offsets):
    return {"dtype": "F32", "shape": shape, "data_offsets": offsets}


HOSTILE = {
    "pickled objects": ("npz", {"a.npz": _npz(x=np.array([_Harm()], dtype=object), y=np.zeros(1))}, "pickled"),
    "a pickle that calls itself an array": ("npz", {"a.npz": zipped({"x.npy": pickle.dumps(1)})}, "not_an_array"),
    "an array larger than its file": ("npz", {"a.npz": _claiming((10**12,))}, "truncated"),
    "an array of less than nothing": ("npz", {"a.npz": _claiming((-2, -5))}, "not_an_array"),
    "a header that nests without end": (
        "npz",
        {"a.npz": zipped({"x.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", 60_000) + b"(" * 60_000})},
        "not_an_array",
    ),
    "text that calls itself an NPZ": ("npz", {"a.npz": b"x,y\n1,2\n"}, "not_npz"),
    "half an NPZ": ("npz", {"a.npz": _npz(x=PIXELS)[:5000]}, "not_npz"),
    "no features": ("npz", {"a.npz": _npz(a=PIXELS)}, "not_examples"),
    "too few targets": ("npz", {"a.npz": _npz(x=PIXELS, y=DIGITS[:5])}, "not_examples"),
    "five axes": ("npz", {"a.npz": _npz(x=np.zeros((2, 1, 1, 1, 2)))}, "not_examples"),
    "no rows": ("npz", {"a.npz": _npz(x=np.zeros((0, 4)))}, "not_examples"),
    "NaN in an image": ("npz", {"a.npz": _npz(x=np.full((3, 2, 2), np.nan))}, "not_finite"),
    "two files of arrays": ("npz", {"a.npz": b"1", "b.npz": b"2"}, "several_files"),
    "safetensors that are none": ("safetensors", {"a.safetensors": b"\xff" * 100}, "not_safetensors"),
    "safetensors with a header beyond the file": (
        "safetensors",
        {"a.safetensors": struct.pack("<Q", 2**62) + b"{}"},
        "not_safetensors",
    ),
    "safetensors whose arrays overlap": (
        "safetensors",
        {"a.safetensors": _safetensors({"x": _array_of([2, 2], 0, 16), "y": _array_of([2], 8, 16)})},
        "not_safetensors",
    ),
    "safetensors of 2**64 numbers in 16 bytes": (
        "safetensors",
        {"a.safetensors": _safetensors({"x": _array_of([2**32, 2**32], 0, 16)})},
        "not_safetensors",
    ),
    "a safetensors header that nests without end": (
        "safetensors",
        {"a.safetensors": _safetensors(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)},
        "not_safetensors",
    ),
    "IDX cut short": ("idx", {"a.idx": idx(IMAGES)[:-1]}, "truncated"),
    "IDX of 4 GB in 20 bytes": ("idx", {"a.idx": struct.pack(">HBBII", 0, 8, 2, 65536, 65536)}, "truncated"),
    "IDX beyond all limits": ("idx", {"a.idx": struct.pack(">HBBIII", 0, 8, 3, *[2**32 - 1] * 3)}, "too_large"),
    "IDX with more in it than it says": ("idx", {"a.idx.gz": gzip.compress(idx(IMAGES) + bytes(9 << 20))}, "truncated"),
    "half a gzip": ("idx", {"a.idx.gz": gzip.compress(idx(IMAGES))[:500]}, "damaged"),
    "a table that calls itself IDX": ("idx", {"a.idx": b"x,y\n1,2\n"}, "not_idx"),
    "images twice": ("idx", {"a.idx": idx(IMAGES), "b.idx": idx(IMAGES)}, "not_idx"),
    "no zip": ("images", {"a.zip": b"PK\x03\x04 not really"}, "not_a_zip"),
    "a path that leads out": (
        "images",
        {"a.zip": zipped({"../../etc/cat/1.png": picture(IMAGES[0])})},
        "path_traversal",
    ),
    "an absolute path": ("images", {"a.zip": zipped({"/etc/cat/1.png": picture(IMAGES[0])})}, "path_traversal"),
    "an image of 100,000 x 100,000": (
        "images",
        {"a.zip": zipped({"a/1.png": _png_of(100_000, 100_000)})},
        "image_too_large",
    ),
    "an image of 10,000 x 8,000": ("images", {"a.zip": zipped({"a/1.png": _png_of(10_000, 8_000)})}, "image_too_large"),
    "pixels that are missing": ("images", {"a.zip": zipped({"a/1.png": _png_of(100, 100)})}, "damaged_image"),
    "text that calls itself an image": ("images", {"a.zip": zipped({"a/1.png": b"hello"})}, "not_an_image"),
    "images without folders": ("images", {"a.zip": zipped({"1.png": picture(IMAGES[0])})}, "no_images"),
    "a zip in a zip": ("images", {"a.zip": zipped({"a/1.zip": zipped({"a/1.png": picture(IMAGES[0])})})}, "no_images"),
    "links to a file of the machine": ("images", {"a.zip": _links()}, "not_an_image"),
    "a drawing": (
        "images",
        {"a.zip": zipped({"a/1.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>", "b/2.png": picture(IMAGES[0])})},
        "not_an_image",
    ),
    "a PNG that says 200 MB about itself": (
        "images",
        {"a.zip": zipped({"a/1.png": _png_of(8, 8, b"zTXt", b"k\0\0" + zlib.compress(bytes(200 << 20)))})},
        "damaged_image",
    ),
    "no image": ("images", {"a.zip": zipped({"a/1.txt": b"hello"})}, "no_images"),
    "16 bits a pixel": ("images", {"a.zip": zipped({"a/1.png": picture(np.zeros((4, 4), np.uint16))})}, "not_8_bit"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_hostile_or_damaged_is_refused_by_name(inspected, what):
    form, files, code = HOSTILE[what]
    with pytest.raises(UnreadableTable) as refused:
        inspected(form, files)
    assert refused.value.fault.code == code, refused.value


def test_a_zip_bomb_is_refused_before_it_is_unpacked(inspected):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/1.png", bytes(20 << 20))
    with pytest.raises(UnreadableTable) as refused:
        inspected("images", {"a.zip": file.getvalue()}, bytes=10 << 20)
    assert refused.value.fault.code == "too_large"


def test_an_array_is_no_target_and_has_no_other_type(npz):
    for choice in ({"role": "target"}, {"type": "category"}):
        with pytest.raises(UnreadableTable) as refused:
            npz(x=IMAGES, y=DIGITS, choices=[ColumnChoice.model_validate({"name": "x"} | choice)])
        assert refused.value.fault.code == "is_array"

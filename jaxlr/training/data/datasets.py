"""Real images by name: digits (no network), the sets of `SOURCES`, or NumPy files of your own."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from jaxlr.arguments import nearest
from jaxlr.errors import DataError
from jaxlr.training.data.cifar import ARCHIVE, load_cifar10, load_cifar10_archive
from jaxlr.training.data.download import Source, fetch
from jaxlr.training.data.idx import load_idx
from jaxlr.training.data.notes import notes_of
from jaxlr.training.data.npz import load_digits, load_npy_folder, load_npz
from jaxlr.training.data.splits import HELD_OUT_NOTE, Dataset, check_split_arguments, count_classes, split_dataset
from jaxlr.training.data.splits import Split as Split

_IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _checksums(*sha256: str) -> dict[str, str]:
    return {file: f"sha256:{checksum}" for file, checksum in zip(_IDX_FILES, sha256, strict=True)}


# A further set of IDX files, or in the form of CIFAR-10, is an entry here.
SOURCES: Mapping[str, Source] = {
    "fashion-mnist": Source(
        "fashion-mnist",
        urls=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        checksums=_checksums(
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
        folder=Path("/usr/share/datasets/fashion-mnist"),
        package="Debian's package dataset-fashion-mnist",
    ),
    "mnist": Source(
        "mnist",
        urls=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        checksums=_checksums(
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    "kmnist": Source(
        "kmnist",
        urls=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        checksums=_checksums(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    ),
    "cifar10": Source(
        "cifar10",
        urls=("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/"),
        checksums={ARCHIVE: "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    ),
}


def load_dataset(
    name: str | Path,
    *,
    data_dir: Path | None = None,
    validation_fraction: float = 0.1,
    seed: int = 0,
    sources: Mapping[str, Source] = SOURCES,
    cache_dir: Path | None = None,
) -> Dataset:
    """Loads a data set by its name, or NumPy files by their path, and splits a validation part off.

    The validation part is a random part of the training images, each class in proportion; the test part is the same for
    every seed: the set's own, or for the digits and for files without one a fifth of each class.

    Args:
      name: "digits", which comes with the package, a name in `SOURCES`, such as "mnist", or a path that ends in .npz
        (arrays x_train, y_train, x_test, y_test, or images and labels), or of a folder with these arrays as
        .npy files, which may be larger than the memory.
      data_dir: a folder with the files of the set, or with a folder of the set's name that has them: IDX files, plain
        or .gz, dotted as train-images.idx3-ubyte, or in torchvision's MNIST/raw; binary or Python batches, or the
        archive of the binary ones. None takes the files of a package of the system if it is installed, and downloads
        them otherwise. The digits and NumPy files do not need it.
      validation_fraction: the part of the training images that becomes the validation part, in (0, 1).
      seed: which of them; an integer, at least 0.
      sources: where named sets come from; give another to download from a mirror.
      cache_dir: where downloads are kept; None is the user's cache.

    Returns:
      The data set, bytes as bytes.

    Raises:
      DataError: no such set, a bad argument, or a file that is missing, damaged or cannot be downloaded.
      TypeError: `seed` is not an integer.

    Example:
      >>> digits = load_dataset("digits")
      >>> digits.train.images.shape, digits.train.images.dtype, digits.classes
      ((1293, 8, 8, 1), dtype('uint8'), 10)
      >>> digits.split_note
      '1,293 train, 144 validation (seed 0), 360 test (a fifth, the same for every seed)'
      >>> load_dataset("fashion_mnist")  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      jaxlr.errors.DataError: unknown data set 'fashion_mnist', did you mean 'fashion-mnist'? \
Known are digits, ... a path that ends in .npz, and a folder of .npy files

    References:
      Xiao, Rasul, Vollgraf, Fashion-MNIST, 2017, arXiv:1708.07747
      Clanuwat et al., Deep Learning for Classical Japanese Literature, 2018, arXiv:1812.01718
      Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009
    """
    check_split_arguments(validation_fraction, seed)
    name = os.fspath(name)
    source, held_out = sources.get(name), False
    if name.endswith(".npz"):
        train, test, held_out = load_npz(Path(name))
    elif name == "digits":
        train, test = load_digits()
        held_out = True
    elif source is None and Path(name).is_dir():
        train, test, held_out = load_npy_folder(Path(name))
    elif source is None:
        raise DataError(_unknown(name, ("digits", *sources)))
    elif ARCHIVE in source.checksums:
        folder = _local_folder(source, data_dir)
        train, test = load_cifar10(folder) if folder else load_cifar10_archive(fetch(ARCHIVE, source, cache_dir))
    else:
        train, test = load_idx(lambda file: _find_idx(file, source, data_dir, cache_dir), classes=source.classes)
    classes = count_classes(train, test, origin=name) if source is None else source.classes
    data = split_dataset(
        name,
        train,
        test,
        classes=classes,
        validation_fraction=validation_fraction,
        seed=seed,
        test_note=HELD_OUT_NOTE if held_out else "",
    )
    return dataclasses.replace(data, notes=notes_of(train, test, classes))


def _unknown(name: str, names: tuple[str, ...]) -> str:
    near = nearest(name, names)
    suggestion = f", did you mean {near[0]!r}?" if near else "."
    files = "a path that ends in .npz, and a folder of .npy files"
    return f"unknown data set {name!r}{suggestion} Known are {', '.join(names)}, {files}"


def _local_folder(source: Source, data_dir: Path | None) -> Path | None:
    """Finds the folder that must hold the files, or None where they are to be downloaded."""
    if data_dir is None:
        return source.folder if source.folder and source.folder.is_dir() else None
    if not Path(data_dir).is_dir():
        raise DataError(f"data_dir {data_dir}: no such folder")
    own = Path(data_dir) / source.name
    return own if own.is_dir() else Path(data_dir)


_TORCHVISION = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST", "kmnist": "KMNIST"}


def _find_idx(file: str, source: Source, data_dir: Path | None, cache_dir: Path | None) -> Path:
    folder = _local_folder(source, data_dir)
    if folder is None:
        return fetch(f"{file}.gz", source, cache_dir)
    dotted = file.replace("-idx", ".idx")  # as some archives have them
    places = (folder, folder / "raw", folder / _TORCHVISION.get(source.name, source.name) / "raw")
    for place in places:
        for name in (file, f"{file}.gz", dotted, f"{dotted}.gz"):
            if (place / name).exists() and not (place / name).is_dir():
                return place / name
    raise DataError(f"{folder}: no {file} and no {file}.gz; {source.how_to_get}{source.or_install}")

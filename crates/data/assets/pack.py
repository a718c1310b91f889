"""Makes the files of this folder from the packages named in SOURCES.md.

    python pack.py DATA      # DATA holds mnist10k/, opencv_samples/, sklearn_tables/, shakespeare/, kjv/

Needs numpy and pillow. The output is the same, byte for byte, on every run (gzip time stamp 0).
"""

import csv
import gzip
import io
import struct
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

SOURCE = Path(sys.argv[1])
HERE = Path(__file__).parent

LETTER = (
    "letter x-box y-box width high onpix x-bar y-bar x2bar y2bar xybar x2ybr xy2br x-ege xegvy y-ege yegvx"
).split()
IRIS = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
WINE = (
    "alcohol malic_acid ash alcalinity_of_ash magnesium total_phenols flavanoids nonflavanoid_phenols "
    "proanthocyanins color_intensity hue od280/od315_of_diluted_wines proline"
).split()
CELL = ["radius", "texture", "perimeter", "area", "smoothness", "compactness", "concavity",
        "concave points", "symmetry", "fractal dimension"]
CANCER = [f"mean {c}" for c in CELL] + [f"{c} error" for c in CELL] + [f"worst {c}" for c in CELL]
DIABETES = "age sex bmi bp s1 s2 s3 s4 s5 s6".split()


def pack(name, data):
    (HERE / f"{name}.gz").write_bytes(gzip.compress(data, 9, mtime=0))


def idx(array):
    """IDX: two zero bytes, type 8 (u8), the number of dimensions, the dimensions big-endian, the data."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def table(name, header, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    pack(f"{name}.csv", text.getvalue().encode())


def classified(name, file, features, target):
    """scikit-learn's own CSV: a first line `rows,columns,class names…`, then features and a class number."""
    first, *rows = csv.reader((SOURCE / "sklearn_tables" / file).read_text().splitlines())
    classes = first[2:]
    assert int(first[0]) == len(rows) and int(first[1]) == len(features)
    table(name, features + [target], [row[:-1] + [classes[int(row[-1])]] for row in rows])


def unzip(*path):
    return gzip.decompress(SOURCE.joinpath(*path).read_bytes())


for part in ["images-idx3-ubyte", "labels-idx1-ubyte"]:
    pack(f"mnist10k-{part}", unzip("mnist10k", f"{part}.gz"))

# One grey sheet of 50 x 100 cells of 20 x 20; five rows of cells for each digit, in order.
sheet = np.array(Image.open(SOURCE / "opencv_samples" / "digits.png").convert("L"))
cells = sheet.reshape(50, 20, 100, 20).transpose(0, 2, 1, 3).reshape(5000, 20, 20)
pack("opencv-digits-images-idx3-ubyte", idx(cells))
pack("opencv-digits-labels-idx1-ubyte", idx(np.repeat(np.arange(10), 500)))

letters = unzip("opencv_samples", "letter-recognition.data.gz").decode().split()
table("letters", LETTER, [line.split(",") for line in letters])

classified("iris", "iris.csv", IRIS, "species")
classified("wine", "wine_data.csv", WINE, "cultivar")
classified("breast_cancer", "breast_cancer.csv", CANCER, "diagnosis")

inputs = [line.split() for line in unzip("sklearn_tables", "diabetes_data_raw.csv.gz").decode().splitlines()]
progression = unzip("sklearn_tables", "diabetes_target.csv.gz").decode().split()
table("diabetes", DIABETES + ["progression"],
      [row + [f"{float(y):g}"] for row, y in zip(inputs, progression, strict=True)])

digits = np.array([line.split(",") for line in unzip("sklearn_tables", "digits.csv.gz").decode().split()], dtype=np.uint8)
pack("sklearn-digits-images-idx3-ubyte", idx(digits[:, :64].reshape(-1, 8, 8)))
pack("sklearn-digits-labels-idx1-ubyte", idx(digits[:, 64]))

# The 42 works in the order of their file names, three empty lines between two. The package's files carry no
# Project Gutenberg header or licence any more (each begins with its title); that is asserted, not assumed.
with tarfile.open(SOURCE / "shakespeare" / "shakespeare_gut.tar.xz") as tar:
    works = [tar.extractfile(member).read().decode("ascii") for member in sorted(tar.getmembers(), key=lambda m: m.name)]
for work in works:
    assert not any(mark in work.lower() for mark in ["gutenberg", "copyright", "http"])
pack("shakespeare.txt", "\n\n\n\n".join(work.strip() for work in works).encode() + b"\n")

pack("king-james.txt", unzip("kjv", "kjv.txt.gz"))

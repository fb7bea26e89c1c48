"""Words with vectors, and the files that hold such."""

import io
import zipfile

import numpy as np

WORDS = ["the", "Paris", ". . .", "name@domain.com", "naïve", "北京", "e\u0301", "3.14", "nan", "a\u00a0b", "\u2028"]
VECTORS = np.random.default_rng(0).normal(size=(len(WORDS), 5)).astype(np.float32)


def vocabulary_of(*tokens):
    return {token: row for row, token in enumerate(tokens, start=1)}


def as_text(words=WORDS, vectors=VECTORS, *, header=False, end="\n"):
    lines = [f"{len(words)} {vectors.shape[1]}"] if header else []
    lines += [" ".join([word, *map(repr, vector.tolist())]) for word, vector in zip(words, vectors, strict=True)]
    return "".join(line + end for line in lines).encode()


def as_binary(words=WORDS, vectors=VECTORS, *, end=b""):
    records = [
        (word if isinstance(word, bytes) else word.encode()) + b" " + vector.astype("<f4").tobytes() + end
        for word, vector in zip(words, vectors, strict=True)
    ]
    return f"{len(words)} {vectors.shape[1]}\n".encode() + b"".join(records)


def written(tmp_path, content):
    path = tmp_path / "vectors.data"  # a name that says nothing
    path.write_bytes(content)
    return path


def zipped(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("glove.txt", content)
    return buffer.getvalue()


class Sizeless:
    def __contains__(self, word):
        return word in ("oslo", "fly")

    def get_vector(self, word):
        return np.array([len(word), 1.0])

"""Arrays as text that keeps every bit, and how a text knows the model that it belongs to."""

from __future__ import annotations

import base64
import json
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT = "sklearn_rnn.Stream 1"


def weights_digest(model: Any) -> str:
    """A digest of all weights of a fitted estimator, and of how it scales numbers: equal for equal ones anywhere."""
    digest = blake2b(digest_size=16)
    for name, tensor in sorted(model.module_.state_dict().items()):
        array = tensor.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype.name} {array.shape} ".encode())
        digest.update(array.tobytes())
    for array in model.encoding_.mean_and_scale or ():
        digest.update(array.tobytes())
    return digest.hexdigest()


def write_text(arrays: dict[str, NDArray[Any]], weights: str) -> str:
    """The `arrays` of the streams of a model whose digest is `weights`, as JSON."""
    packed = {
        name: {
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "data": base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii"),
        }
        for name, array in arrays.items()
    }
    content = {"format": FORMAT, "weights": weights, "arrays": packed}
    return json.dumps({**content, "checksum": _checksum(content)})


def read_text(text: str, weights: str) -> dict[str, NDArray[Any]]:
    """The arrays of a text, which must belong to a model whose digest is `weights`.

    Raises
    ------
    ValueError
        If it does not, if the text is none of :func:`write_text`, or if a part of it was changed or lost.
    """
    try:
        content = json.loads(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"text is no JSON, wanted what Stream.to_json returned: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise ValueError(f"text has the format {found!r}, wanted {FORMAT!r}: what Stream.to_json returned")
    checksum = content.pop("checksum", None)
    if checksum != _checksum(content):
        raise ValueError("text is broken: it does not have the checksum that it names, a part was changed or lost")
    if content["weights"] != weights:
        raise ValueError(
            f"text belongs to a model of other weights: their digest is {content['weights']}, that of this model is "
            f"{weights}. Give the model that the stream was made with"
        )
    return {
        name: np.frombuffer(base64.b64decode(part["data"]), dtype=part["dtype"]).reshape(part["shape"])
        for name, part in content["arrays"].items()
    }


def _checksum(content: dict[str, Any]) -> str:
    return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()

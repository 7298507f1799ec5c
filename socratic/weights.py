"""A student's weights made into another student's: the mean of several, or the same in eight bits.

In: students' folders. Out: a whole folder, in place of one that may lie there; no CTranslate2 form is made for it. Needs
neither torch nor transformers. Knows nothing of what the weights compute.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from socratic.errors import ModelError
from socratic.folders import NEEDED, SMALL_WEIGHTS, WEIGHTS, read_student, weights_file
from socratic.quantized import dequantize, quantize
from socratic.whole import whole


def shrink(student: Path, out: Path) -> None:
    """Copy a student's folder with its weights in eight bits. Raises ModelError."""
    if not (student / WEIGHTS).is_file():
        raise ModelError(f"no {WEIGHTS} in {student}", hint="give a student's folder that `socratic train` wrote")
    read_student(student)  # says what else is missing
    if out.resolve() == student.resolve():
        raise ModelError(f"{out} is the student itself", hint="give --out another folder")
    files = {name: (student / name).read_bytes() for name in NEEDED}
    _write(out, files, SMALL_WEIGHTS, quantize(load_file(student / WEIGHTS)))


def average(students: Sequence[Path], out: Path) -> None:
    """Write a student whose weights are the mean of others' (a model soup, Wortsman et al. 2022). Raises ModelError.

    They must have the same vocabulary and shape, as one student and what it became in further training. The record is the
    last one's; its `average_of` holds those of all. `out` may be one of the students, which stays as it is until the mean is
    written whole.
    """
    for student in students:
        read_student(student)  # says what is missing
    records = [json.loads((student / "student.json").read_text(encoding="utf-8")) for student in students]
    first, *others = weights = [dequantize(load_file(weights_file(student))) for student in students]
    if any({k: v.shape for k, v in other.items()} != {k: v.shape for k, v in first.items()} for other in others):
        raise ModelError("these students have weights of other names or shapes", hint="average students of one base")
    if len({(student / "tokenizer.json").read_bytes() for student in students}) > 1:
        raise ModelError("these students have other vocabularies", hint="average students of one base")
    mean = {name: np.mean([one[name] for one in weights], axis=0).astype(np.float16) for name in first}
    about = {**records[-1], "made_from": {"average_of": [record.get("made_from") for record in records]}}
    files = {name: (students[-1] / name).read_bytes() for name in NEEDED}
    record = json.dumps(about, indent=1, sort_keys=True) + "\n"
    _write(out, {**files, "student.json": record.encode()}, WEIGHTS, mean)


def _write(out: Path, files: Mapping[str, bytes], kind: str, weights: dict[str, np.ndarray]) -> None:
    """A student's folder; all is written before anything of one that lies there is replaced."""
    with ExitStack() as written:  # at its end all are moved to their places
        save_file(weights, written.enter_context(whole(out / kind)))
        for name, content in files.items():
            written.enter_context(whole(out / name)).write_bytes(content)
    for stale in {WEIGHTS, SMALL_WEIGHTS} - {kind}:  # it might be read in place of the new ones, and so would ct2/
        (out / stale).unlink(missing_ok=True)
    if (out / "ct2").is_dir():
        shutil.rmtree(out / "ct2")

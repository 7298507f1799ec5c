"""What lies in a model's folder, checked before anything loads it.

In: "default", or the path of a pair (decomposer/ and solver/) or of one unified student. Out: `StudentFolder`s, each with
its style. Half a folder, or pickled weights without safetensors, is a ModelError. Knows neither torch nor CTranslate2.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from socratic.dialect import Style
from socratic.errors import ModelError

PAIRS = Path(__file__).parent / "pairs"  # shipped inside the package
WEIGHTS, SMALL_WEIGHTS = "model.safetensors", "model.int8.safetensors"  # fp16, and in eight bits (see quantized)
NEEDED = ("config.json", "tokenizer.json", "student.json")
CALIBRATIONS = "confidence.json"  # beside them, or beside the two students of a pair: confidence writes and reads it
PICKLED = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


@dataclass(frozen=True, slots=True)
class StudentFolder:
    """One student on disk."""

    path: Path
    style: Style
    architecture: str  # config.json's model_type; "" where it names none
    done_within: float = 0.0  # see decomposer.Decomposer

    @property
    def ct2(self) -> Path:
        """Its CTranslate2 form; may be absent."""
        return self.path / "ct2"


def pair_folder(name: str) -> Path:
    """Where the shipped pair, "default", or another one lies; whether anything is there is not looked at."""
    return PAIRS / "default" if name == "default" else Path(name)


def find_pair(name: str) -> tuple[StudentFolder, StudentFolder]:
    """The decomposer's and the solver's folder; a unified student is both. Raises ModelError."""
    root = pair_folder(name)
    if not root.is_dir():
        raise ModelError(f"no model folder at {root}", hint="give a folder that `socratic train` wrote, or 'default'")
    if (root / "decomposer").is_dir() or (root / "solver").is_dir():
        return read_student(root / "decomposer"), read_student(root / "solver")
    student = read_student(root / "student" if (root / "student").is_dir() else root)
    return student, student


def fingerprint(name: str) -> str:
    """The sha256 of a pair's files, on which its answers hang: its students', and its calibrations. Raises ModelError.

    What else lies there is no part of it: logs, a training's rows, the predictions of an evaluation that shall go on.
    """
    folders = {student.path for student in find_pair(name)}
    students = {folder / file for folder in folders for file in (*NEEDED, weights_file(folder).name)}
    calibrations = pair_folder(name) / CALIBRATIONS
    found = hashlib.sha256()
    for path in sorted(students | ({calibrations} if calibrations.is_file() else set())):
        with path.open("rb") as content:
            found.update(path.name.encode() + hashlib.file_digest(content, "sha256").digest())
    return found.hexdigest()


def weights_sum(folder: Path) -> str:
    """The sha256 of a model's weights, "" where they are not at hand: one that is trained anew is another model."""
    sums = b""
    for file in sorted(folder.glob("*.safetensors")):
        with file.open("rb") as content:
            sums += hashlib.file_digest(content, "sha256").digest()
    return hashlib.sha256(sums).hexdigest() if sums else ""


def read_student(path: Path) -> StudentFolder:
    """Check a student's folder and read its style. Raises ModelError naming what is missing."""
    refuse_pickle(path)
    missing = [name for name in (*NEEDED, weights_file(path).name) if not (path / name).is_file()]
    if missing:
        raise ModelError(f"{path} lacks {', '.join(missing)}", hint="give a whole folder, as `socratic train` writes it")
    try:
        about = json.loads((path / "student.json").read_text(encoding="utf-8"))
        style, done_within = Style.of(**about["style"]), float(about.get("done_within", 0.0))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path / 'student.json'} cannot be used ({error})") from error
    return StudentFolder(path, style, model_type(path), done_within)


def weights_file(folder: Path) -> Path:
    """The one file of a student's weights: the small form where it lies there."""
    small = folder / SMALL_WEIGHTS
    return small if small.is_file() else folder / WEIGHTS


def model_type(folder: Path) -> str:
    """What config.json calls the architecture; "" where it can't be read, which loading will say better."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ValueError, OSError):
        return ""
    return str(found.get("model_type", "")) if isinstance(found, dict) else ""


def refuse_pickle(folder: Path) -> None:
    """Raise ModelError where a folder holds pickled weights and no safetensors: pickle runs code."""
    if not folder.is_dir() or any(folder.glob("*.safetensors")):
        return
    pickled = sorted(path.name for kind in PICKLED for path in folder.glob(kind))
    if pickled:
        raise ModelError(
            f"{folder} holds pickled weights only ({', '.join(pickled)}), which can run code",
            hint="convert them to model.safetensors, in a place where you trust them",
        )

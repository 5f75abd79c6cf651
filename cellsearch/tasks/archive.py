"""The .npz file in which samples are kept."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from cellsearch.errors import DiskError, TaskError, nearest
from cellsearch.tasks.base import Array
from cellsearch.tasks.samples import Samples

MAX_BYTES = 2**30
"""Bytes of a file, and of the arrays in it."""

ARRAYS = ("X", "y", "groups", "lengths", "settings")


def write(path: Path, samples: Samples, settings: Mapping[str, Any]) -> bytes:
    """Write the samples and a task's settings as a whole, or not at all; return the content.

    Nothing is done if the file holds just that already. Raises TaskError if it holds anything
    else, DiskError where writing is not possible.
    """
    arrays = {"X": samples.inputs, "y": samples.targets, "settings": np.array(json.dumps(settings))}
    if samples.groups is not None:
        arrays["groups"] = samples.groups
    if samples.lengths is not None:
        arrays["lengths"] = samples.lengths
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    data = buffer.getvalue()
    if len(data) > MAX_BYTES:
        raise TaskError(
            f"task 'arrays': the samples take {len(data) / 2**20:.0f} MiB; at most "
            f"{MAX_BYTES // 2**20} MiB can be kept in a file; give fewer, or float32"
        )
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        if os.path.lexists(path):
            if _holds(path, data):
                return data
            raise TaskError(
                f"task 'arrays': {str(path)!r} exists already and holds other data, which a run "
                "may be of; nothing is written over: choose another name, or remove it"
            )
        try:
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DiskError(f"task 'arrays': cannot write {str(path)!r} ({reason})") from None
    return data


def _holds(path: Path, data: bytes) -> bool:
    """Say whether a file has this content; one of another size is not read for it."""
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def read(where: str, data: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the arrays of an .npz file by name, and the settings kept with them.

    Nothing in the file is executed or unpickled, and no more memory is taken than the file says
    in advance. Raises TaskError for anything but such a file.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [_name(where, member) for member in archive.namelist()]
            total = sum(member.file_size for member in archive.infolist())
            if total > MAX_BYTES:
                raise TaskError(
                    f"task 'arrays': {where} unpacks to {total / 2**20:.0f} MiB; "
                    f"at most {MAX_BYTES // 2**20} MiB are accepted"
                )
            arrays = {}
            for name in names:
                with archive.open(f"{name}.npy") as file:
                    _check_header(where, name, file, archive.getinfo(f"{name}.npy").file_size)
                with archive.open(f"{name}.npy") as file:
                    arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, EOFError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise TaskError(
            f"task 'arrays': {where} is not a whole .npz file ({reason}); "
            f"write one with numpy.savez(path, X=X, y=y)"
        ) from None
    missing = [name for name in ("X", "y") if name not in arrays]
    if missing:
        raise TaskError(
            f"task 'arrays': {where} has no array {missing[0]!r}; it has {', '.join(arrays)}; "
            f"write it with numpy.savez(path, X=X, y=y)"
        )
    return arrays, _settings(where, arrays.pop("settings", None))


def _name(where: str, member: str) -> str:
    name = member.removesuffix(".npy")
    if name not in ARRAYS or name == member:
        raise TaskError(
            f"task 'arrays': {where} holds {member!r}{nearest(name, ARRAYS)}; "
            f"expected arrays named X and y, and possibly groups and lengths"
        )
    return name


def _check_header(where: str, name: str, file: IO[bytes], size: int) -> None:
    """Raise if an array is not what its place in the file can hold."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise TaskError(
            f"task 'arrays': {where} holds Python objects in {name!r}; pad sequences of "
            f"different lengths with zeros and give their lengths as the array 'lengths'"
        )
    if math.prod(shape) * dtype.itemsize + file.tell() != size:
        raise ValueError(f"the array {name!r} is cut off")


def _settings(where: str, kept: Array | None) -> dict[str, Any]:
    if kept is None:
        return {}
    try:
        settings = json.loads(str(kept))
    except ValueError:
        settings = None
    if not isinstance(settings, dict):
        raise TaskError(
            f"task 'arrays': the array 'settings' in {where} is not what task.save() writes; "
            f"leave it out"
        )
    return settings

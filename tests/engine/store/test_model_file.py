# SPDX-License-Identifier: Apache-2.0
"""Model files seen from outside: opened with h5py, every checksum recomputed by the definitions of docs/model-file.md;
and files that another program made or changed, which Kindred must refuse with one line."""
import os
import pathlib
import re
import subprocess

import h5py
import numpy as np
import pytest
import scipy.sparse
import xxhash

ROOT = pathlib.Path(__file__).resolve().parents[3]
PROGRAM = pathlib.Path(os.environ.get("KINDRED_BIN", ROOT / "build/release/bin")) / "kindred_store_tests"


def call(test, **environment):
    result = subprocess.run([PROGRAM, f"--gtest_filter={test}"], env={**os.environ, **environment}, text=True,
                            capture_output=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    call("Sample.Write", KINDRED_SAMPLE_FOLDER=str(folder))
    return folder


def content_hash(file):
    """As docs/model-file.md defines it."""
    lines = []

    def add(path, array):
        digest = xxhash.xxh3_64_hexdigest(array.tobytes())
        lines.append(f"{path} {array.dtype.str} {'x'.join(map(str, array.shape))} {digest}\n".encode())

    def visit(path, node):
        if path == "/meta" or path.startswith("/meta/"):
            return
        for name, value in node.attrs.items():
            if name == "xxh3_64" or (path == "/" and name in ("content_hash", "created", "kindred_version", "name")):
                continue
            add(f"{path}@{name}", np.asarray(value))
        if isinstance(node, h5py.Dataset):
            add(path, np.asarray(node[()]))

    visit("/", file)
    file.visititems(lambda path, node: visit("/" + path, node))
    return xxhash.xxh3_64_hexdigest(b"".join(sorted(lines)))


def datasets(file):
    found = {}
    file.visititems(lambda path, node: found.update({path: node}) if isinstance(node, h5py.Dataset) else None)
    return found


def files(samples):
    return sorted(samples.glob("*.h5"))


def test_checksums(samples):
    assert len(files(samples)) == 23
    for path in files(samples):
        with h5py.File(path) as file:
            for name, node in datasets(file).items():
                digest = xxhash.xxh3_64_hexdigest(np.asarray(node[()]).tobytes())
                assert digest == node.attrs["xxh3_64"].decode(), f"{path.name}: {name}"
            assert content_hash(file) == file.attrs["content_hash"].decode(), path.name


def test_storage(samples):
    """Chunks of whole rows near 1 MiB, Fletcher-32 everywhere, deflate for integers and text; nothing else."""
    for path in files(samples):
        with h5py.File(path) as file:
            for name, node in datasets(file).items():
                if node.shape == () or node.size == 0:
                    assert node.chunks is None
                    continue
                assert node.fletcher32 and not node.shuffle, f"{path.name}: {name}"
                assert node.chunks[1:] == node.shape[1:]
                assert np.prod(node.chunks) * node.dtype.itemsize <= 2**20
                if node.nbytes > 2**20:
                    assert np.prod(node.chunks) * node.dtype.itemsize > 2**20 - node[0].nbytes
                assert (node.compression == "gzip") == (node.dtype.kind in "iS" or bool((node[()] == 1).all())), name
                assert node.dtype.str in ("<f4", "<i4", "<i8") or node.dtype.kind == "S"


def test_values(samples):
    """What SciPy makes of the matrices, and the root attributes against the tables."""
    for path in files(samples):
        if not path.name.startswith(("model", "chunks")):
            continue
        with h5py.File(path) as file:
            users, items = file.attrs["users"], file.attrs["items"]
            assert file.attrs["format"] == b"kindred" and file.attrs["format_version"] == 1
            assert len(file["users/ids"]) == users and len(file["items/ids"]) == items
            if file.attrs["scorer"] == b"factors":
                assert file["users/factors"].shape == (users, file.attrs["dimension"])
                assert file["items/factors"].shape == (items, file.attrs["dimension"])
            for side in ("users", "items"):
                ids = file[f"{side}/ids"][()]
                assert (ids[:-1] < ids[1:]).all()
            for name in ("history", "held_out/validation", "held_out/test", "items/tags"):
                if name in file:
                    group = file[name]
                    assert group.attrs["encoding-type"] == b"csr_matrix"
                    assert group.attrs["encoding-version"] == b"0.1.0"
                    matrix = scipy.sparse.csr_matrix((group["data"][()], group["indices"][()], group["indptr"][()]),
                                                     shape=tuple(group.attrs["shape"]))
                    matrix.check_format(full_check=True)
                    assert matrix.shape[0] == (items if name == "items/tags" else users)
            if "items/title" in file:
                [title.decode("utf-8") for title in file["items/title"][()]]


def test_lists(samples):
    with h5py.File(samples / "lists.h5") as file:
        assert file["users/ids"][()].tolist() == [b"a", b"b"]
        assert file["users/rows"][()].tolist() == [4, -1]
        assert file["recommendations/rows"][()].tolist() == [[7, 8, 9], [3, -1, -1]]
        assert file["recommendations/scores"][()].tolist() == [[3, 2, 1], [0.5, 0, 0]]
        assert len(file["items/ids"]) == 3000


def rebuild(source, target, change, **options):
    """A copy that h5py wrote, object by object; `change(path, node)` returns True where it made the object itself."""
    with h5py.File(source) as old, h5py.File(target, "w", **{"libver": ("v110", "v110"), **options}) as new:
        def copy_attributes(node, to):
            for name in node.attrs:
                value = np.asarray(node.attrs[name])
                kind = h5py.string_dtype("utf-8", value.dtype.itemsize) if value.dtype.kind == "S" else None
                to.attrs.create(name, value, dtype=kind)

        def copy(path, node):
            if change(path, node, new):
                return
            if isinstance(node, h5py.Group):
                copy_attributes(node, new.create_group(path))
                return
            options = {}
            if node.shape != () and node.size > 0:
                options = {"chunks": node.chunks, "fletcher32": True,
                           "compression": "gzip" if node.compression else None}
            kind = h5py.string_dtype("utf-8", node.dtype.itemsize) if node.dtype.kind == "S" else node.dtype
            copy_attributes(node, new.create_dataset(path, data=node[()], dtype=kind, **options))

        copy_attributes(old, new)
        old.visititems(copy)
    return target


def verdict(path):
    lines = re.findall(r"^result: (.*)$", call("Sample.Read", KINDRED_SAMPLE_FILE=str(path)), re.M)
    assert len(lines) == 1
    return lines[0].replace(str(path) + ": ", "")


def test_files_by_h5py_are_read(samples, tmp_path):
    for path in files(samples):
        if path.name.startswith(("model", "chunks")):
            assert verdict(rebuild(path, tmp_path / path.name, lambda *_: False)) == "read"


def put(dataset, **options):
    """Replaces /items/factors."""
    def change(path, node, new):
        if path != "items/factors":
            return False
        dataset(new, node, **options)
        return True
    return change


def external(new, node):
    new["items/factors"] = h5py.ExternalLink("other.h5", "/items/factors")


def soft(new, node):
    new["items/factors"] = h5py.SoftLink("/users/factors")


def external_storage(new, node):
    new.create_dataset("items/factors", shape=node.shape, dtype="<f4", external=[("/etc/passwd", 0, node.nbytes)])


def virtual(new, node):
    layout = h5py.VirtualLayout(shape=node.shape, dtype="<f4")
    layout[:] = h5py.VirtualSource("other.h5", "items/factors", shape=node.shape)
    new.create_virtual_dataset("items/factors", layout)


def with_options(**options):
    def make(new, node):
        new.create_dataset("items/factors", data=node[()], **options)
    return make


def unwritten(new, node):
    new.create_dataset("items/factors", shape=node.shape, dtype="<f4", chunks=node.chunks, fletcher32=True)


def enormous(new, node):
    new.create_dataset("items/factors", shape=(2**40, 48), dtype="<f4", chunks=(1000, 48), fletcher32=True)


def committed(new, node):
    new["type"] = np.dtype("<f4")
    new.create_dataset("items/factors", data=node[()], dtype=new["type"], chunks=node.chunks, fletcher32=True)


def variable(new, node):
    new.create_dataset("items/factors", data=["a"] * len(node), dtype=h5py.string_dtype())


@pytest.mark.parametrize("make, message", [
    (external, "/items/factors: is a link to elsewhere; a model file holds its objects itself"),
    (soft, "/items/factors: is a link to elsewhere; a model file holds its objects itself"),
    (external_storage, "/items/factors: its bytes lie elsewhere"),
    (virtual, "/items/factors: its bytes lie elsewhere"),
    (with_options(), "/items/factors: it is not chunked"),
    (with_options(chunks=(100, 48)), "/items/factors: its filters are not"),
    (with_options(chunks=(100, 48), compression="gzip"), "/items/factors: HDF5 filter 1; a model file uses deflate"),
    (with_options(chunks=(100, 48), compression="lzf", fletcher32=True), "/items/factors: HDF5 filter 32000"),
    (with_options(chunks=(100, 48), shuffle=True, fletcher32=True), "/items/factors: HDF5 filter 2"),
    (with_options(chunks=(100, 24), fletcher32=True), "/items/factors: its chunks are not of whole rows"),
    (with_options(chunks=(100, 48), fletcher32=True, dtype="<f8"), "/items/factors: its elements are of another type"),
    (with_options(chunks=(100, 48), fletcher32=True, dtype=">f4"), "/items/factors: its elements are of another type"),
    (unwritten, "/items/factors: its extents need 562.5 KiB, the file holds 0 B for it"),
    (enormous, "/items/factors: its extents need"),
    (committed, "/items/factors: its elements are of another type"),
    (variable, "/items/factors: its elements are of another type"),
    (lambda new, node: new.create_group("items/factors"), "damaged: content_hash is"),
    (lambda new, node: None, "damaged: content_hash is"),
    (with_options(chunks=(100, 48), fletcher32=True), "/items/factors: attribute xxh3_64 is missing"),
])
def test_other_storage_is_refused(samples, tmp_path, make, message):
    found = verdict(rebuild(samples / "chunks.h5", tmp_path / "model.h5", put(make)))
    assert found.startswith(message)


def test_changed_values_are_noticed(samples, tmp_path):
    for stale in (True, False):
        def change(new, node):
            values = node[()]
            values[7, 7] += 1
            made = new.create_dataset("items/factors", data=values, chunks=node.chunks, fletcher32=True)
            digest = node.attrs["xxh3_64"] if stale else xxhash.xxh3_64_hexdigest(values.tobytes()).encode()
            made.attrs.create("xxh3_64", digest, dtype=h5py.string_dtype("utf-8", 16))
        found = verdict(rebuild(samples / "chunks.h5", tmp_path / "model.h5", put(change)))
        assert found.startswith("/items/factors: damaged: its bytes" if stale else "damaged: content_hash is")


def test_old_superblocks_are_refused(samples, tmp_path):
    path = rebuild(samples / "chunks.h5", tmp_path / "model.h5", lambda *_: False, libver=("earliest", "v108"))
    assert verdict(path) == "superblock version 0; expected 3, as HDF5 1.10 and later write it"
    path = rebuild(samples / "chunks.h5", tmp_path / "model.h5", lambda *_: False, userblock_size=512)
    assert verdict(path) == "not an HDF5 file; expected a model file"


def test_group_in_a_circle(samples, tmp_path):
    """A hard link to an ancestor: known names only are followed, so nothing turns in circles."""
    with h5py.File(rebuild(samples / "chunks.h5", tmp_path / "model.h5", lambda *_: False), "r+",
                   libver=("v110", "v110")) as file:
        file["users/again"] = file["/"]
    assert verdict(tmp_path / "model.h5") == "read"

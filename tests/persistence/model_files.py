"""Model files as an attacker could write them: changed, and with checksums to match."""

import json
import zipfile

from crystalml.persistence._container import GRAPH, pack, unpack


def rewrite(path, change):
    """Let `change` alter the nodes of a model file, and write it back as `save` would."""
    manifest, members = unpack(path.read_bytes(), None)
    nodes = json.loads(members[GRAPH])
    nodes = change(nodes) or nodes
    members[GRAPH] = json.dumps(nodes).encode()
    manifest = {k: v for k, v in manifest.items() if k not in ("format", "format_version")}
    path.write_bytes(pack(manifest, members))


def rewrite_manifest(path, **changes):
    """Change entries of the manifest, checksums to match."""
    manifest, members = unpack(path.read_bytes(), None)
    path.write_bytes(pack({**manifest, **changes}, members))


def copy_zip(path, target, *, change=None, extra=()):
    """Copy a zip member by member, keeping its comment; `change(name, data)` alters members."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            data = source.read(name)
            copy.writestr(name, change(name, data) if change else data)
        for name, data in extra:
            copy.writestr(name, data)
        copy.comment = source.comment


def position(nodes, kind):
    """Index of the first node of a kind."""
    return next(index for index, node in enumerate(nodes) if node[0] == kind)

"""Model files as an attacker could write them: changed, and with checksums to match."""

import json
import zipfile

from crystalml.persistence._container import STATE, pack, unpack


def rewrite(path, change):
    """Let `change` alter the state in a model file, and write it back as `save` would."""
    manifest, members = unpack(path.read_bytes(), None)
    state = json.loads(members[STATE])
    changed = change(state)
    state = state if changed is None else changed
    members[STATE] = json.dumps(state).encode()
    path.write_bytes(pack(without_format(manifest), members))


def without_format(manifest):
    """Leave out of a manifest what `pack` writes itself."""
    return {k: v for k, v in manifest.items() if k not in ("format", "format_version")}


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


def set_attribute(state, name, form):
    """Give the outermost estimator of a state another attribute, or one more."""
    state[2] = [item for item in state[2] if item[0] != name] + [[name, form]]


def attribute(state, name):
    """Return the form of an attribute of the outermost estimator of a state."""
    return next(form for key, form in state[2] if key == name)


def forms(state, kind):
    """Yield all forms of a kind inside a state, outermost first."""
    if isinstance(state, list):
        if state and state[0] == kind:
            yield state
        for part in state:
            yield from forms(part, kind)

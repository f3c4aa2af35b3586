"""Whose certificates are believed: the same for a check and under load."""

from __future__ import annotations

import os
import ssl
from pathlib import Path


def authorities(ca_file: str | None) -> str | None:
    """What `ssl.create_default_context(cafile=…)` is to load.

    The target's own `ca_file`; else None, which stands for what SSL_CERT_FILE and SSL_CERT_DIR name, OpenSSL's own
    variables, and otherwise the system's (SSL_CTX_set_default_verify_paths(3)); certifi's where a system has none.
    """
    if ca_file is not None:
        return ca_file
    paths = ssl.get_default_verify_paths()
    named = os.environ.get(paths.openssl_cafile_env) or os.environ.get(paths.openssl_capath_env)
    if named or paths.cafile or (paths.capath and any(Path(paths.capath).iterdir())):
        return None
    import certifi  # of httpx; seldom needed

    return certifi.where()

"""How a kernel and its server prove to each other that they know the kernel's connection key.

The key itself never travels. Each side binds its proof to both nonces, to the server and to the
kernel, and the two texts start differently, so that no proof can be used twice or sent back.
``docs/wire-protocol.md``, «Opening»; vector ``proof.json``.
"""

import hashlib
import hmac
import secrets

__all__ = ["kernel_mac", "new_nonce", "same", "server_mac"]

_PURPOSE = b"nbchannels/kernel/v1"


def new_nonce() -> str:
    """A random number that is used once, as 32 hexadecimal digits."""
    return secrets.token_hex(16)


def kernel_mac(
    connection_key: bytes, server: str, kernel: str, server_nonce: str, kernel_nonce: str
) -> str:
    """The kernel's proof, as 64 hexadecimal digits."""
    return _mac(connection_key, "kernel", server, kernel, server_nonce, kernel_nonce)


def server_mac(
    connection_key: bytes, server: str, kernel: str, server_nonce: str, kernel_nonce: str
) -> str:
    """The server's proof, as 64 hexadecimal digits."""
    return _mac(connection_key, "server", server, kernel, server_nonce, kernel_nonce)


def same(mac: str, expected: str) -> bool:
    """Whether two proofs are the same, in a time that does not tell where they differ."""
    return hmac.compare_digest(mac.encode(), expected.encode())


def _mac(connection_key: bytes, *words: str) -> str:
    key = hmac.digest(connection_key, _PURPOSE, hashlib.sha256)
    return hmac.digest(key, "|".join(words).encode(), hashlib.sha256).hex()

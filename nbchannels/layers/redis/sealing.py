"""Messages that whoever reads Redis cannot read, and whoever writes there cannot forge."""

import base64
import hashlib
import importlib
from collections.abc import Sequence
from typing import Any

from nbchannels.encoding import Encoded
from nbchannels.exceptions import EncodingError, ImproperlyConfigured, InvalidChannelLayerError

__all__ = ["Seal"]


class Seal:
    """Encrypts the bodies of messages; without keys it does nothing.

    Args:
        keys: texts or bytes; the first encrypts, any of them decrypts. The same derivation as in
            channels_redis: Fernet with the SHA-256 of the key.
    """

    def __init__(self, keys: Sequence[str | bytes] | None) -> None:
        self._fernet: Any = None
        if not keys:
            return
        if isinstance(keys, (str, bytes)):
            raise InvalidChannelLayerError(
                "symmetric_encryption_keys is a text; it is a list of keys: ['secret']"
            )
        try:
            fernet = importlib.import_module("cryptography.fernet")
        except ImportError as error:
            raise ImproperlyConfigured(
                "symmetric_encryption_keys needs the package cryptography: "
                "pip install 'nbchannels[encryption]'"
            ) from error
        self._invalid: type[Exception] = fernet.InvalidToken
        self._fernet = fernet.MultiFernet([fernet.Fernet(_derived(key)) for key in keys])

    def seal(self, encoded: Encoded) -> Encoded:
        """Encrypt a message."""
        if self._fernet is None:
            return encoded
        return Encoded(encoded.codec, self._fernet.encrypt(bytes(encoded.body)))

    def open(self, encoded: Encoded) -> Encoded:
        """Decrypt it.

        Raises:
            EncodingError: it was encrypted with another key, or forged.
        """
        if self._fernet is None:
            return encoded
        try:
            return Encoded(encoded.codec, self._fernet.decrypt(bytes(encoded.body)))
        except self._invalid as error:
            raise EncodingError(
                "a message in Redis is not encrypted with any of symmetric_encryption_keys"
            ) from error


def _derived(key: str | bytes) -> bytes:
    material = key.encode() if isinstance(key, str) else key
    return base64.urlsafe_b64encode(hashlib.sha256(material).digest())

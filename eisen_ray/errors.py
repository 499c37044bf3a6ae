"""Errors that a user can act on: each message says what was received, what was expected and what to do."""


class EisenError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigError(EisenError, ValueError):
    """A setting is out of range, unknown, or contradicts another one or an earlier run."""


class DataError(EisenError, ValueError):
    """Video, frames, masks or stored rows cannot be used as they are."""


class WeightsError(EisenError):
    """Network weights are missing, damaged, or do not fit the network."""


class StorageError(EisenError):
    """A storage root cannot be read or written, or holds something unexpected."""


class PromotionError(EisenError):
    """A trained student did not pass the gate and must not become a teacher."""

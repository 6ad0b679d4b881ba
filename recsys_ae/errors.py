"""Every error this package raises on purpose, under one base."""


class RecsysError(Exception):
    """Base of all errors of this package: one line that says what was given, what was expected and what to do."""


class DataError(RecsysError):
    """The data given cannot be used as they are."""


class ConfigError(RecsysError):
    """A hyper-parameter, option or name is unknown or out of its bounds."""


class NotFittedError(RecsysError):
    """The model has not been fitted yet."""


class UnsupportedError(RecsysError):
    """The model cannot do what was asked of it, whatever the data."""


class TrainingError(RecsysError):
    """Training cannot go on; the message names the step and the likely cause."""


class ArtefactError(RecsysError):
    """A saved model is damaged, foreign, or cannot be written where asked."""


class MissingPackageError(RecsysError):
    """An optional package is needed here; the message names it and how to install it."""

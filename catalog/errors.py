"""The errors that a person reads: one sentence with the place and the remedy.

Belongs here: the classes every folder raises. Not here: programming errors, which stay ordinary exceptions.
"""


class SelvedgeError(Exception):
    """Bad input or a missing thing: one clear sentence naming the file, row, setting or service, and what to do.

    Permanent: running again without a change gives the same sentence, so it is never retried.
    """


class Interrupted(SelvedgeError):
    """Somebody asked long work to stop (Ctrl-C, SIGTERM), and it did in order; how to go on. No fault of anything."""


class ServiceUnavailable(SelvedgeError):
    """A service did not answer. The only kind that is worth a retry."""

"""A bad request to a served model, answered in one sentence.

Belongs here: the exception that MLflow turns into status 400. Not here: what is bad (the entry files beside this one,
which alone import it).
"""

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE


class RefusedRequest(MlflowException):
    """A bad request; its message is one sentence.

    MLflow's scoring server writes the whole input, pictures included, in front of the message of an exception that it
    lets through; the message is therefore kept as it was.
    """

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence
        super().__init__(sentence, error_code=INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        return self._sentence

    @message.setter
    def message(self, value: str) -> None:
        """Set by MLflow, first to the sentence itself, then to a longer one."""

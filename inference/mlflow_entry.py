"""What a registered attribute model does in MLflow: pictures and questions in, answers and confidences out.

Belongs here: turning a request into pictures and questions, and refusing what is neither. Not here: answering
(training/blip2/artefact.py), registering (orchestration/registry/registry.py).

MLflow logs this file as the model's code ("models from code") and runs the installed `selvedge` package beside it;
weights, preprocessing, prompt and schema come from the artefact folder, so nothing is pickled and no code travels
with a model.

A row holds `image` (base64 of a picture file) and `questions`, each an attribute's name or its question in the
published form. The answer row holds `answers` ("Sleeve Length: Long Sleeves"), `confidences`, and `abstained`: where
it is true the model had rather not say, and the answer is only its best guess.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from catalog.errors import SelvedgeError
from catalog.schema import AttributeSchema
from inference.refused_request import RefusedRequest
from inference.sent_pictures import decode_picture
from training.blip2.artefact import AttributeModel, Question, load_artefact

ARTEFACT_KEY = "model"  # as orchestration/registry/registry.py logs it
MOST_ROWS = 64
MOST_QUESTIONS = 64  # about one picture


class AttributeAnswers(PythonModel):
    """The pyfunc model around an artefact folder."""

    def load_context(self, context: Any) -> None:
        """Raises SelvedgeError: the artefact, or the base it needs, is not whole."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model: AttributeModel = load_artefact(Path(context.artifacts[ARTEFACT_KEY]), device=device)
        self._book = question_book(self._model.schema, self._model.question_set)

    def predict(  # MLflow calls it with all three
        self,
        context: Any,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Answer every question of every row.

        Args:
            model_input: columns image (str) and questions (sequence of str).

        Returns:
            Columns answers (list of str), confidences (list of float in (0, 1]), abstained (list of bool), a row each.

        Raises:
            RefusedRequest: too much, no picture, or a question the model does not know.
        """
        rows = requested(model_input)
        pictures, questions = [], []
        for index, (image, asked) in enumerate(rows):
            pictures.append(decode_picture(image, index))
            questions += [find_question(self._book, text, index) for text in asked]
        try:
            answers = self._model.answer(pictures, questions)
        except SelvedgeError as error:
            raise RefusedRequest(str(error)) from error
        by_row = [answers[answers["product_index"] == index] for index in range(len(rows))]
        return pd.DataFrame(
            {
                "answers": [list(map(str, answered["answer"])) for answered in by_row],
                "confidences": [list(map(float, answered["confidence"])) for answered in by_row],
                "abstained": [list(map(bool, answered["abstained"])) for answered in by_row],
            }
        )


def requested(model_input: pd.DataFrame) -> list[tuple[str, list[str]]]:
    """(image, questions) of every row, counted before anything is decoded.

    Raises:
        RefusedRequest: a column is missing, or there are too many rows or questions.
    """
    if not isinstance(model_input, pd.DataFrame) or not {"image", "questions"} <= set(model_input.columns):
        raise RefusedRequest("a request needs the columns image (base64 text) and questions (a list of texts).")
    if len(model_input) > MOST_ROWS:
        raise RefusedRequest(f"the request holds {len(model_input)} pictures; send at most {MOST_ROWS} at once.")
    rows = []
    for index, (image, asked) in enumerate(zip(model_input["image"], model_input["questions"], strict=True)):
        if isinstance(asked, str) or not isinstance(asked, Iterable):
            raise RefusedRequest(f"row {index}: questions must be a list of texts, not {type(asked).__name__}.")
        texts = [str(text) for text in asked]
        if len(texts) > MOST_QUESTIONS:
            raise RefusedRequest(f"row {index}: {len(texts)} questions; ask at most {MOST_QUESTIONS} of one picture.")
        rows.append((image, texts))
    return rows


def question_book(schema: AttributeSchema, question_set: str) -> dict[str, tuple[str, str | None]]:
    """Every text that asks something: an attribute's name, or its question about an article type that has it.

    Returns:
        Spelling of the text → (attribute, article type or None where the text names none).
    """
    book: dict[str, tuple[str, str | None]] = {}
    for name in schema.question_set(question_set).attributes:
        book.setdefault(_spelling(schema.question(name)), (name, None))
        for article_type in schema.attributes[name].applies_to or schema.article_types:
            book.setdefault(_spelling(schema.question(name, article_type)), (name, article_type))
        book[_spelling(name)] = (name, None)
    return book


def find_question(book: dict[str, tuple[str, str | None]], text: str, index: int) -> Question:
    """Raises RefusedRequest: the model was never taught this question."""
    question = book.get(_spelling(text))
    if question is None:
        names = ", ".join(dict.fromkeys(name for name, _ in book.values()))
        raise RefusedRequest(f"row {index}: the question {_short(text)!r} is not known; ask for one of {names}.")
    return Question(index, *question)


def _spelling(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").split()).rstrip("?. ")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


set_model(AttributeAnswers())

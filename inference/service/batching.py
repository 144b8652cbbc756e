"""Micro-batches: photographs of several requests answered in one pass of the model.

Belongs here: gathering, one model a batch, handing answers back. Not here: the model (training/blip2/), which version
answers (champions.py).

A lone photograph waits at most `WAIT_SECONDS` for others. What a batch answers is what each photograph gets alone.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Event, Thread

from PIL import Image

from catalog.errors import ServiceUnavailable
from inference.service.champions import Served
from inference.service.metrics import Metrics

MOST_AT_ONCE = 16  # as many as pay off on a CPU (`images_at_once`)
WAIT_SECONDS = 0.005
LONGEST_QUEUE = 256
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class AttributeAnswer:
    """value: the most likely one, also where the model abstains. confidence: 0 to 1."""

    name: str
    value: str
    confidence: float
    abstained: bool


@dataclass
class _Asked:
    """A photograph in the queue."""

    served: Served
    picture: Image.Image
    article_type: str | None
    answers: "Future[list[AttributeAnswer]]" = field(default_factory=Future)


class Batcher:
    """Answers questions about photographs, from whichever thread they come.

    Args:
        most: photographs of a batch; 1 answers one by one.
    """

    def __init__(self, metrics: Metrics, most: int = MOST_AT_ONCE, wait: float = WAIT_SECONDS) -> None:
        self._metrics, self._most, self._wait = metrics, most, wait
        self._queue: Queue[_Asked] = Queue(LONGEST_QUEUE)
        self._stopped = Event()
        self._thread = Thread(target=self._work, daemon=True, name="batches")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def ask(self, served: Served, picture: Image.Image, article_type: str | None) -> list[AttributeAnswer]:
        """Every question that applies to a photograph, answered; the caller waits.

        Args:
            picture: a standard copy, decoded. article_type: names the product in the questions; None says "product".

        Raises:
            SelvedgeError: the model cannot answer. ServiceUnavailable: too many wait, or the model is too slow.
        """
        asked = _Asked(served, picture, article_type)
        try:
            self._queue.put_nowait(asked)
            return asked.answers.result(PATIENCE_SECONDS)
        except (Full, FutureTimeout) as error:
            asked.answers.cancel()
            raise ServiceUnavailable("more photographs wait than can be answered; ask again in a while.") from error

    def _work(self) -> None:
        while not self._stopped.is_set():
            batch = self._gathered()
            for served in {id(asked.served): asked.served for asked in batch}.values():
                self._answer(served, [asked for asked in batch if asked.served is served])

    def _gathered(self) -> list[_Asked]:
        """The next photographs, none where none came for a while."""
        try:
            batch = [self._queue.get(timeout=0.2)]
        except Empty:
            return []
        end = time.monotonic() + self._wait
        while len(batch) < self._most:
            try:
                batch.append(self._queue.get(timeout=max(0.0, end - time.monotonic())))
            except Empty:
                break
        return [asked for asked in batch if asked.answers.set_running_or_notify_cancel()]

    def _answer(self, served: Served, batch: Sequence[_Asked]) -> None:
        try:
            answers = _answers(served, batch)
        except Exception as error:  # it is raised where each of them waits
            for asked in batch:
                asked.answers.set_exception(error)
            return
        self._metrics.count("selvedge_batches_total")
        self._metrics.count("selvedge_batch_photographs_total", by=len(batch))
        for asked, own in zip(batch, answers, strict=True):
            asked.answers.set_result(own)


def _answers(served: Served, batch: Sequence[_Asked]) -> list[list[AttributeAnswer]]:
    questions = [
        question
        for number, asked in enumerate(batch)
        for question in served.model.questions_for(number, asked.article_type)
    ]
    answered = served.model.answer([asked.picture for asked in batch], questions)
    answers: list[list[AttributeAnswer]] = [[] for _ in batch]
    columns = (answered[name] for name in ("product_index", "attribute", "value", "confidence", "abstained"))
    for number, name, value, confidence, abstained in zip(*columns, strict=True):
        answers[int(number)].append(AttributeAnswer(str(name), str(value), float(confidence), bool(abstained)))
    return answers

"""Worker: takes one job after another and makes it, holding its lease meanwhile.

Belongs here: what becomes of a job, by what its work raises. Not here: the work (making.py), the rows (jobs.py), the
process that a worker runs in (orchestration/).
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.ad_images.refusal import AdRefused
from inference.ad_images.result import NothingPassed
from inference.service.jobs import Job, JobLost, Jobs, State
from inference.service.making import AdDesk, Order

IDLE_SECONDS = 0.3  # between two looks for a job
logger = logging.getLogger(__name__)


class Worker:
    """One at work in this process."""

    def __init__(self, jobs: Jobs, desk: AdDesk) -> None:
        self._jobs, self._desk = jobs, desk

    def work(self, stop: Event) -> None:
        """Until it is stopped; a database that does not answer is waited for."""
        while not stop.is_set():
            try:
                busy = self.work_once()
            except ServiceUnavailable as error:
                logger.warning("%s", error)
                busy = False
            if not busy:
                stop.wait(IDLE_SECONDS)

    def work_once(self) -> bool:
        """One job, where one is due. Raises: ServiceUnavailable: the database of jobs does not answer."""
        job = self._jobs.claim()
        if job is None:
            return False
        try:
            with self._held(job):
                self._make(job)
        except JobLost:  # whoever has the job now ends it
            logger.warning("request %s was taken over by another worker", job.request_id)
        return True

    def _make(self, job: Job) -> None:
        try:
            order = Order.of(job.order)
            outcome = self._desk.make(order, lambda stage: self._jobs.renew(job, stage))
        except NothingPassed as refusal:
            self._jobs.end(job, State.REFUSED, self._desk.fallen(order, refusal))
        except AdRefused as refusal:
            self._jobs.end(job, State.REFUSED, {"code": str(refusal.code), "sentence": str(refusal)})
        except ServiceUnavailable as error:
            self._jobs.put_back(job, str(error))
        except SelvedgeError as error:
            self._jobs.end(job, State.FAILED, {"code": "fault", "sentence": str(error)})
        except JobLost:
            raise
        except Exception:
            logger.exception("request %s of %s", job.request_id, job.client)
            sentence = "the service failed at this request; tell whoever runs it, whose log says where."
            self._jobs.end(job, State.FAILED, {"code": "fault", "sentence": sentence})
        else:
            self._jobs.end(job, State.DONE, outcome)

    @contextmanager
    def _held(self, job: Job) -> Iterator[None]:
        """Renew the lease from a thread: a stage may take longer than it."""
        ended = Event()

        def renew() -> None:
            while not ended.wait(self._jobs.lease / 3):
                try:
                    self._jobs.renew(job)
                except JobLost:
                    return  # the work itself finds out at its next stage
                except SelvedgeError as error:  # perhaps only now: the next one may come through
                    logger.warning("%s", error)

        thread = Thread(target=renew, daemon=True, name="lease")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

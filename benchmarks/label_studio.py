"""A round of full size through a real Label Studio: 2,000 pairs in, 6,000 ballots out.

Belongs here: seconds, requests and memory of importing, voting and pulling through labeling/review/label_studio/.

  by task    a request per task in (POST /api/tasks) and a request per task out (its annotations), as simple scripts do
  batched    200 tasks a request in, one export out, as a script does whose author read on; it looks at nothing before
             or after, so a request that was repeated brings its tasks twice
  ours       batches in, pages out; what is there is looked at before and after, so nothing comes twice

The baseline by task is timed on a sample and scaled up, because it does the same for every task. The server is started
by Selvedge on SQLite, its environment is installed first where it is missing; annotators are accounts of their own, a
thread each, and vote through the API one ballot a request.

Run: `python -m benchmarks.label_studio`; `--pairs 2000 --overlap 3` is the default.
"""

import argparse
import json
import resource
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SAMPLE = 100
BATCH = 200  # tasks a request of the batched baseline, as many as ours sends at most
ENVIRONMENTS = Path(__file__).resolve().parents[1] / ".selvedge-environments"


class PeakMemory(threading.Thread):
    """The largest resident set of a process, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        import psutil

        self._process = psutil.Process(pid)
        self._stopped = threading.Event()
        self.mib = 0.0

    def run(self) -> None:
        while not self._stopped.wait(0.1):
            self.mib = max(self.mib, self._process.memory_info().rss / 2**20)

    def stop(self) -> float:
        self._stopped.set()
        self.join()
        return self.mib


class Tasks:
    """A round's tasks, each rendered when it is asked for, as opening a round does."""

    def __init__(self, number: int, work: Path) -> None:
        from catalog.drawn import draw_catalogue
        from labeling.review.pairs.rendering import picture_uri

        drawn = draw_catalogue(work / "drawn", products=20, seed=5).path
        self._photos = [picture_uri(place.read_bytes(), place.name) for place in (drawn / "images").glob("*.jpg")]
        self._keys = [secrets.token_hex(8) for _ in range(number)]

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, task: object) -> bool:
        return task in self._keys

    def __iter__(self):  # type: ignore[no-untyped-def]
        from labeling.review.label_page import pair_task

        card = "<tr><th>Colour</th><td>Navy Blue</td></tr>" * 8
        for number, key in enumerate(self._keys):
            photo = self._photos[number % len(self._photos)]
            yield pair_task(key, photo, f'<table class="card">{card}</table>', f'<table class="card">{card}</table>')


def timed(act: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    answer = act()
    return answer, time.perf_counter() - began


def client_timed(figures: dict[str, Any], step: str, act: Callable[[], Any]) -> Any:
    """What `act` returns; its seconds of the wall and of this process's CPU, the client's part, go into `figures`."""
    began = time.process_time()
    answer, figures[f"{step}_seconds"] = timed(act)
    figures[f"{step}_client_cpu_seconds"] = time.process_time() - began
    return answer


def measure(pairs: int, overlap: int) -> dict[str, Any]:
    import httpx

    from infra.local.environments import ensure_environment
    from infra.local.label_studio import NAME, REQUIREMENTS, ensure_account, ensure_label_studio
    from labeling.review.label_page import ballot_result, label_config
    from labeling.review.label_studio import LabelStudio
    from tests.ports import free_port

    figures: dict[str, Any] = {"pairs": pairs, "ballots": pairs * overlap}
    config = label_config("Which is better?", "<p>Look at the picture first.</p>", ("wrong value", "too vague"))
    with tempfile.TemporaryDirectory() as temporary:
        work, port = Path(temporary), free_port()
        places = (work / "label-studio", work / "logs", work / "secrets", port)
        tell = lambda line: print(line, file=sys.stderr)  # noqa: E731
        # Installing, where it is needed, is left out of the seconds of starting.
        ensure_environment(ENVIRONMENTS, NAME, REQUIREMENTS, work / "install.log", tell)
        start = lambda: ensure_label_studio(*places, environments=ENVIRONMENTS, progress=tell)  # noqa: E731
        running, figures["first_start_seconds"] = timed(start)
        running.stop()
        running, figures["start_seconds"] = timed(start)
        memory = PeakMemory(running.process.pid)
        memory.start()
        try:
            url, token = f"http://127.0.0.1:{port}", ensure_account(work / "secrets").token
            admin = LabelStudio(url, token)
            project = admin.create_project("Round of full size", config, "", overlap)
            tasks = Tasks(pairs, work)
            sent = admin.requests_sent
            ids = client_timed(figures, "import", lambda: admin.import_tasks(project, tasks))
            figures["import_requests"] = admin.requests_sent - sent
            sent = admin.requests_sent
            _, figures["import_again_seconds"] = timed(lambda: admin.import_tasks(project, tasks))
            figures["import_again_requests"] = admin.requests_sent - sent

            raters = [LabelStudio(url, admin.create_annotator(f"rater{n}@example.com").token) for n in range(overlap)]
            client_timed(figures, "vote", lambda: vote_all(raters, list(ids.values()), ballot_result("left")))
            sent = admin.requests_sent
            pulled = client_timed(figures, "pull", lambda: admin.pull_annotations(project))
            figures["pull_requests"] = admin.requests_sent - sent
            assert len(pulled) == pairs * overlap and len({one.annotation_id for one in pulled}) == len(pulled)
            assert admin.pull_annotations(project) == pulled
            _, seconds = timed(lambda: [admin.counter(project) for _ in range(20)])
            figures["counter_milliseconds"] = 1000 * seconds / 20
            fourth = LabelStudio(url, admin.create_annotator("late@example.com").token)
            assert fourth.next_task(project) is None
            _, figures["next_task_of_a_finished_round_seconds"] = timed(lambda: fourth.next_task(project))

            with httpx.Client(headers={"Authorization": f"Token {token}"}, timeout=60, trust_env=False) as session:
                sample = [{"data": task, "project": project} for task, _ in zip(tasks, range(SAMPLE), strict=False)]
                place = f"{url}/api/tasks/"
                _, seconds = timed(lambda: [session.post(place, json=one).raise_for_status() for one in sample])
                figures["baseline_import_seconds"] = seconds * pairs / SAMPLE
                chosen = list(ids.values())[:SAMPLE]
                out = lambda: [session.get(f"{place}{one}/annotations/").raise_for_status() for one in chosen]  # noqa: E731
                _, seconds = timed(out)
                figures["baseline_pull_seconds"] = seconds * pairs / SAMPLE
                other = admin.create_project("Round of full size, batched", config, "", overlap)
                figures |= batched(session, url, other, project, tasks)
                assert admin.counter(other).tasks == pairs
        finally:
            figures["server_peak_mib"] = memory.stop()
            running.stop()
    figures["client_peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def batched(session: Any, url: str, empty: int, voted: int, tasks: Tasks) -> dict[str, float]:
    """Seconds of the batched baseline: into an empty project, out of one that was voted on."""
    _, seconds_in = timed(lambda: import_in_batches(session, url, empty, tasks))
    _, seconds_out = timed(lambda: export(session, url, voted))
    return {"batched_import_seconds": seconds_in, "batched_pull_seconds": seconds_out}


def import_in_batches(session: Any, url: str, project: int, tasks: Tasks) -> None:
    """What a script does that sends many tasks a request, and trusts every answer."""
    batch: list[dict[str, Any]] = []
    for number, task in enumerate(tasks, start=1):
        batch.append({"data": task})
        if len(batch) == BATCH or number == len(tasks):
            session.post(f"{url}/api/projects/{project}/import", json=batch).raise_for_status()
            batch = []


def export(session: Any, url: str, project: int) -> list[dict[str, Any]]:
    """Every task with its annotations, in one answer."""
    answer = session.get(f"{url}/api/projects/{project}/export", params={"exportType": "JSON"})
    return list(answer.raise_for_status().json())


def vote_all(raters: list[Any], task_ids: list[int], result: list[dict[str, Any]]) -> None:
    """Every rater answers every task; the raters at the same time."""

    def one_rater(rater: Any) -> None:
        for task_id in task_ids:
            rater.annotate(task_id, result, 3.0)

    threads = [threading.Thread(target=one_rater, args=(rater,)) for rater in raters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def describe(figures: dict[str, Any]) -> str:
    pairs, ballots = figures["pairs"], figures["ballots"]

    def row(what: str, requests: str, seconds: float, step: str = "") -> str:
        baselines = {"by task": f"baseline_{step}_seconds", "batched": f"batched_{step}_seconds"} if step else {}
        ratio = "".join(
            f"   {name} {figures[key]:6.1f} s {figures[key] / seconds:5.1f}x" for name, key in baselines.items()
        )
        return f"  {what:<34}{requests:>14}  {seconds:7.2f} s{ratio}"

    each = figures["pull_requests"] / ballots
    return "\n".join(
        [
            f"Label Studio, {pairs:,} pairs, {ballots:,} ballots, SQLite, one server process",
            row("start, empty home (installed)", "", figures["first_start_seconds"]),
            row("start again", "", figures["start_seconds"]),
            row(
                f"{pairs:,} pairs in",
                f"{figures['import_requests']} requests",
                figures["import_seconds"],
                "import",
            ),
            row(
                "the same again (nothing to send)",
                f"{figures['import_again_requests']} requests",
                figures["import_again_seconds"],
            ),
            row(f"{ballots:,} ballots cast", f"{ballots:,} requests", figures["vote_seconds"]),
            row(
                f"{ballots:,} ballots pulled",
                f"{figures['pull_requests']} requests",
                figures["pull_seconds"],
                "pull",
            ),
            "  CPU of the client: "
            + ", ".join(f"{step} {figures[f'{step}_client_cpu_seconds']:.2f} s" for step in ("import", "vote", "pull")),
            f"  {each:.5f} requests a ballot pulled; counter {figures['counter_milliseconds']:.0f} ms; "
            f"peak {figures['client_peak_mib']:.0f} MiB here, {figures['server_peak_mib']:.0f} MiB in the server",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=2_000)
    parser.add_argument("--overlap", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure(arguments.pairs, arguments.overlap)
    print(json.dumps(figures) if arguments.json else describe(figures))


if __name__ == "__main__":
    main()

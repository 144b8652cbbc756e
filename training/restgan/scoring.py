"""A ReStGAN candidate on held-out words, beside all it is held against: the scores asset and `selvedge evaluate`.

Belongs here: gathering every subject's pictures for the same words, as the judge reads them, and publishing what comes
of it. Not here: what is asked (training/restgan/samples.py), metrics and intervals (evaluation/), the decision
(evaluation/gate.py).

The same table and the same gate as for models that read pictures: a subject's answer to "which type, colour, gender?"
is what the independent judge finds in the picture that the subject drew for a held-out product's words, and the truth
is what the words ask. The ceiling is the judge's answer to the product's own photograph.

Torch is imported inside functions: the module is named by the code location, which must load in seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.files import png_bytes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from evaluation.gate import Evidence
    from evaluation.hierarchical import Resampled
    from training.attribute_judge import AttributeJudge
    from training.blip2.scoring import Incumbent
    from training.reporting import Reporter
    from training.restgan.candidate import Prepared
    from training.restgan.dataset import Bottoms
    from training.restgan.samples import Arrays, Queries
    from training.restgan.sampling import RestganModel

OTHER_WORDS = "floor:other_words"
REAL_PICTURES = "ceiling:real_pictures"
PICTURES = "pictures"  # the attribute under which figures about whole pictures stand
GROWING, LONGEST = 80, 6  # queries asked word by word, and words of each
SHOWN = 6
WORDS_FILE, STRIP_FILE, SCORES_PLOT = "words.png", "refinements.png", "scores.png"
CONFUSION_PLOT = "confusion.png"


@dataclass(frozen=True)
class RestganScores:
    """What one evaluation gave. scores: the table `scores`. plots: file name -> PNG."""

    scores: "pd.DataFrame"
    predictions: Mapping[str, "pd.DataFrame"]
    evidence: "Evidence"
    plots: Mapping[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Scores, evidence and plots as files of a folder that is there."""
        import evaluation.tables  # noqa: F401  declares the table
        from catalog.tables import publish_bytes, write_table
        from training.blip2.scoring import EVIDENCE_FILE, SCORES_FILE

        write_table(self.scores, folder / SCORES_FILE, "scores")
        publish_bytes(self.evidence.to_json().encode(), folder / EVIDENCE_FILE)
        for name, content in self.plots.items():
            publish_bytes(content, folder / name)


def score_restgan(
    artefact: Path,
    prepared: "Prepared",
    *,
    family: str,
    candidate: str,
    champion: "Incumbent | None" = None,
    reporter: "Reporter | None" = None,
) -> RestganScores:
    """Scores of a candidate beside what it began with, the champion, floors and the judge's own reading.

    Args:
        artefact: the candidate's folder, with `base/` in it. prepared: bottoms and judge; part test is asked.

    Raises:
        SelvedgeError: an artefact is missing or damaged.
    """
    import pandas as pd

    from evaluation import plots
    from evaluation.evidence import metrics_evidence
    from evaluation.scores import BASE, CANDIDATE, CHAMPION, score_subjects
    from training.restgan.candidate import BASE_FOLDER
    from training.restgan.samples import choose_queries, draw_samples, put_to_model
    from training.restgan.sampling import load_artefact

    bottoms, judge = prepared.bottoms, prepared.judge
    held_out = bottoms.of("test")
    queries = choose_queries(held_out, GROWING, LONGEST)
    folders = {BASE: artefact / BASE_FOLDER, CANDIDATE: artefact}
    if champion is not None:
        folders[CHAMPION] = champion.folder
    models, drawn = {}, {}
    for done, (name, folder) in enumerate(folders.items(), start=1):
        models[name] = load_artefact(folder)
        drawn[name] = draw_samples(models[name], judge, put_to_model(queries, models[name]), with_changes=False)
        if reporter is not None:
            reporter.progress(done, len(folders), "drawing held-out words")
    predictions = _predictions(bottoms, judge, drawn)
    scores = score_subjects(predictions, family, candidate)
    extra = _picture_figures(queries, held_out, judge, drawn)
    rows = [(family, candidate, who, PICTURES, "all", metric, f.value, f.interval.low, f.interval.high, len(held_out))
            for (who, metric), f in extra.items()]  # fmt: skip
    scores = pd.concat([scores, pd.DataFrame(rows, columns=list(scores.columns))], ignore_index=True)
    evidence = metrics_evidence(scores, champion.version if champion else None, bottoms.digest)
    pictures = {
        WORDS_FILE: refinement_strip(held_out, {"": models[CANDIDATE]}, SHOWN),
        STRIP_FILE: refinement_strip(held_out, models, SHOWN),
        SCORES_PLOT: plots.score_plot(scores[scores["attribute"] != PICTURES], "accuracy", "What held-out words drew"),
        CONFUSION_PLOT: plots.confusion_plot(predictions[CANDIDATE]),
    }
    return RestganScores(scores, predictions, evidence, pictures)


def refinement_strip(held_out: "Bottoms", models: "Mapping[str, RestganModel]", count: int) -> bytes:
    """PNG: held-out words, one query a row, one more word a column; the same words and noise for every model."""
    from PIL import Image

    from training.restgan.grids import BACKDROP, chosen_rows, word_rows

    shown = held_out.take(chosen_rows(held_out, count))
    queries = [" ".join(str(query).split()[:LONGEST]) for query in shown.rows["query"]]
    sheets = [
        word_rows(model.draw(queries, seed=1), [model.encode(query).texts for query in queries], title=name)
        for name, model in models.items()
    ]
    whole = Image.new("RGB", (sum(sheet.width for sheet in sheets), max(s.height for s in sheets)), BACKDROP)
    left = 0
    for sheet in sheets:
        whole.paste(sheet, (left, 0))
        left += sheet.width
    return png_bytes(whole, optimize=True)


def _predictions(
    bottoms: "Bottoms", judge: "AttributeJudge", drawn: "Mapping[str, Arrays]"
) -> "dict[str, pd.DataFrame]":
    """Every subject's answers: candidate, base, champion, two floors, and the judge on the real pictures."""
    import numpy as np

    from evaluation.floors import MAJORITY, majority
    from training.restgan.dataset import ATTRIBUTES
    from training.restgan.samples import whole_wanted

    held_out, train = bottoms.of("test"), bottoms.of("train")
    wanted = whole_wanted(held_out)
    seen = {name: {a: arrays[f"probabilities/{a}"] for a in ATTRIBUTES} for name, arrays in drawn.items()}
    # Pictures drawn for somebody else's words: what the shares of the classes give away.
    turn = np.roll(np.arange(len(held_out)), max(1, len(held_out) // 2))
    own = next(iter(seen.values()))
    seen[OTHER_WORDS] = {name: table[turn] for name, table in own.items()}
    seen[REAL_PICTURES] = dict(judge.probabilities(held_out.pictures))
    answers = {name: _answered(bottoms, held_out, wanted, tables) for name, tables in seen.items()}
    learnt = _answered(bottoms, train, whole_wanted(train), None)
    return {MAJORITY: majority(learnt, answers[REAL_PICTURES]), **answers}


def _answered(
    bottoms: "Bottoms", asked_of: "Bottoms", wanted: "np.ndarray", tables: "Mapping[str, np.ndarray] | None"
) -> "pd.DataFrame":
    """Rows as `score_subjects` takes them; without `tables` the truth alone."""
    import numpy as np
    import pandas as pd

    from training.restgan.dataset import ATTRIBUTES, GENDERS, TYPES

    names = {"type": TYPES, "colour": bottoms.colours.names, "gender": GENDERS}
    columns = {
        "article_type": asked_of.rows["type"], "gender": asked_of.rows["gender"].replace("", "unknown"),
        "base_colour": asked_of.rows["colour"].replace("", "unknown"),
    }  # fmt: skip
    parts = []
    for column, name in enumerate(ATTRIBUTES):
        asked = np.flatnonzero(wanted[:, column] >= 0)
        part = pd.DataFrame({key: values.iloc[asked].to_numpy() for key, values in columns.items()})
        part["product_id"], part["group_id"] = (
            asked_of.rows["product_id"].to_numpy()[asked],
            asked_of.rows["group_id"].to_numpy()[asked],
        )
        part["attribute"], part["truth"] = name, [names[name][k] for k in wanted[asked, column]]
        if tables is not None:
            table = tables[name][asked]
            part["value"] = [names[name][k] for k in table.argmax(axis=1)]
            part["confidence"] = table.max(axis=1).astype(np.float64)
        parts.append(part.assign(abstained=False, in_vocabulary=True))
    return pd.concat(parts, ignore_index=True)


def _picture_figures(
    queries: "Queries", held_out: "Bottoms", judge: "AttributeJudge", drawn: "Mapping[str, Arrays]"
) -> "dict[tuple[str, str], Resampled]":
    """(subject, metric) -> figure: KID, and word after word accuracy, gain, retention and drift."""
    from evaluation.generation_intervals import kernel_estimate
    from evaluation.hierarchical import CrossedResamples
    from evaluation.refinement import refinement
    from training.restgan.samples import sequences_of

    real, groups = judge.features(held_out.pictures), list(held_out.rows["group_id"])
    whole = [str(query) for query in held_out.rows["query"]]
    own = {name: max(accuracy, 1e-6) for name, accuracy in judge.own_accuracy.items()}
    figures: dict[tuple[str, str], Any] = {}
    for name, arrays in drawn.items():
        figures[name, "kid"] = kernel_estimate(
            real, groups, arrays["features"][None], whole, CrossedResamples(whole, 1, resamples=300)
        )
        words = refinement([sequences_of(arrays, queries)], own, CrossedResamples(queries.names, 1, resamples=300))
        figures |= {
            (name, "word_accuracy"): words.accuracy, (name, "gain"): words.gain,
            (name, "retention"): words.retention, (name, "drift"): words.drift,
        }  # fmt: skip
    return figures

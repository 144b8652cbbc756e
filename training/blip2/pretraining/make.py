"""`python -m training.blip2.pretraining --out DIR`: make the tiny base, from nothing to a probed folder with a card.

Belongs here: the order of things, the clock, what is written when. Not here: how each thing is done.

A run keeps its corpus and its state in `--work`; started again it goes on from there. With `--minutes` it fits itself into
that time, probes included, and whatever happens the last saved base is whole.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import Blip2ForConditionalGeneration

from catalog.errors import SelvedgeError
from training.blip2.base import build_model, load_base, save_base
from training.blip2.pretraining.card import model_card
from training.blip2.pretraining.corpus import Corpus, PhraseTable, prepare_words
from training.blip2.pretraining.heads import Readouts, TextSide
from training.blip2.pretraining.pictures import CAPTION_WORDS, PART_CLASSES, draw_corpus
from training.blip2.pretraining.probe import kept_exam, run_probe, run_trials
from training.blip2.pretraining.recipe import Recipe, tiny_recipe
from training.blip2.pretraining.stages import CannotRecord, Course, Pretraining
from training.blip2.pretraining.state import load_state, read_state, save_state
from training.blip2.profiles import TINY
from training.devices import choose_device

BEGAN = time.time()
STAGE1_SHARE = 0.45  # of the time for training
SAVE_SECONDS = 60.0


class PretrainingRun:
    """One call of the command: clock, folders, metrics."""

    def __init__(self, options: argparse.Namespace, recipe: Recipe):
        self.options, self.recipe = options, recipe
        self.started = options.started_at or BEGAN
        self.device = choose_device(options.device)
        self.work, self.report = Path(options.work), Path(options.report or options.work)
        for folder in (self.work, self.report):
            folder.mkdir(parents=True, exist_ok=True)
        self.metrics: dict[str, Any] = {"courses": []}

    def remaining(self) -> float:
        """Seconds until training must end so that the probes still fit."""
        if self.options.minutes is None:
            return float("inf")
        return self.options.minutes * 60 - self.options.probe_seconds - (time.time() - self.started)

    def say(self, text: str) -> None:
        print(f"[{time.time() - self.started:6.1f} s] {text}", flush=True)


class _Keeper:
    """Prints figures, saves the base once a minute, and the state as often as the stages ask."""

    def __init__(self, run: PretrainingRun, training: Pretraining, tokenizer: Any):
        self.run, self.training, self.tokenizer, self.saved = run, training, tokenizer, 0.0

    def report(self, course: Course) -> None:
        if course.steps % self.run.options.say_steps == 0:
            self._say(course)
        if time.monotonic() - self.saved > SAVE_SECONDS:
            self._save(course)

    def save_state(self, course: Course) -> None:
        save_state(self.run.work / "state.safetensors", self.training, course.stage, course.steps)

    def finish(self, course: Course) -> None:
        """A stage is done."""
        self._say(course)
        self._save(course)
        self.save_state(course)

    def _say(self, course: Course) -> None:
        latest = course.curve[-1] if course.curve else {}
        self.run.say(f"stage {course.stage} " + " ".join(f"{name} {value:.4g}" for name, value in latest.items()))

    def _save(self, course: Course) -> None:
        self.saved = time.monotonic()
        save(self.run, self.training, self.tokenizer, course)


def make_base(options: argparse.Namespace, recipe: Recipe) -> dict[str, Any]:
    """Everything; returns the metrics that were written."""
    run = PretrainingRun(options, recipe)
    torch.manual_seed(recipe.seed)
    torch.set_float32_matmul_precision("high")
    base_tokenizer = Path(options.go_on_from) / "tokenizer.json" if options.go_on_from else None
    tokenizer, table, tokenizer_file = prepare_words(recipe, run.work, base_tokenizer)
    run.say(
        f"tokenizer of {len(tokenizer)} pieces, {len(table.phrases)} phrases in {len(table.topics)} topics; drawing starts"
    )
    if options.draw_only:
        draw_corpus(run.work / "corpus", recipe, tokenizer_file, table.phrases, options.workers)
        run.say("corpus drawn")
        read_exam(run)
        run.say("exam drawn")
        return run.metrics
    corpus = Corpus(recipe, run.work / "corpus", tokenizer_file, table.phrases, run.device, options.workers)
    training = build_training(run, len(tokenizer), table)
    progress = _resume(run, training)

    keeper = _Keeper(run, training, tokenizer)
    if progress["stage"] <= 1 and recipe.stage1_steps > progress["step"]:
        course = training.stage1(corpus, STAGE1_SHARE * run.remaining(), keeper, progress["step"])
        run.metrics["courses"].append(vars(course))
        keeper.finish(course)
        training.optimiser = None  # the next stage begins with moments of its own
        save_state(run.work / "state.safetensors", training, 2, 0)
    exam = read_exam(run)
    if run.metrics["courses"]:
        run.metrics["probe_after_stage1"] = run_probe(Path(options.out), exam, run.device)
        run.say(f"probe after stage 1: {json.dumps(run.metrics['probe_after_stage1'])}")
    course = training.stage2(corpus, run.remaining(), keeper, progress["step"] if progress["stage"] == 2 else 0)
    run.metrics["courses"].append(vars(course))
    run.metrics |= {"pictures": corpus.pictures, "drawing_seconds": round(corpus.seconds, 1)}
    run.metrics["answer_loss_by_kind"] = training.loss_by_kind(corpus)
    run.say(f"answer loss by kind: {json.dumps(run.metrics['answer_loss_by_kind'])}")
    keeper.finish(course)
    examine(run, exam)
    save(run, training, tokenizer, course, card=True)
    run.say(f"done: {options.out}")
    return run.metrics


def build_training(run: PretrainingRun, vocabulary: int, table: PhraseTable) -> Pretraining:
    """A fresh base (or the one to go on from) with fresh heads (or those kept beside it)."""
    model = build_model(TINY, vocabulary)
    width, patch_width = TINY.text["d_model"], TINY.vision["hidden_size"]
    patches = (TINY.vision["image_size"] // TINY.vision["patch_size"]) ** 2
    text = TextSide(vocabulary, TINY.qformer["hidden_size"], CAPTION_WORDS)
    readouts = Readouts(table, width, TINY.queries, patch_width, patches, PART_CLASSES)
    if run.options.go_on_from:
        folder = Path(run.options.go_on_from)
        model.load_state_dict(load_base(folder).model.state_dict())
        heads = run.options.heads and load_file(run.options.heads)
        if heads:
            _fill_heads(text, readouts, heads, run)
    else:
        wake(model)
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    return Pretraining(model, text, readouts, TINY.preprocessing, run.recipe, run.device, graphs=not run.options.eager)


def read_exam(run: PretrainingRun) -> Any:
    """The products of the probes, drawn once."""
    recipe = run.recipe
    file = run.work / "exam.npz"
    return kept_exam(file, recipe.probe_seed, recipe.probe_products, recipe.draw_size, run.options.workers)


def wake(model: Blip2ForConditionalGeneration) -> None:
    """Initialise so that pictures differ in the query outputs from the first step, and queries differ from each other.

    With the library's N(0, 0.02) at this width the outputs vary over pictures by 0.03 of their spread: the losses then rest for
    long at what words alone tell. With these they vary by 0.2.
    """
    for layer in model.qformer.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, gain=0.7)
    nn.init.xavier_uniform_(model.language_projection.weight)
    nn.init.normal_(model.query_tokens, std=1.0)


def _fill_heads(text: TextSide, readouts: Readouts, heads: dict[str, torch.Tensor], run: PretrainingRun) -> None:
    """Kept heads, as far as they fit: the phrase table may have grown, and heads are thrown away in the end."""
    for part, module in (("text", text), ("readouts", readouts)):
        held = {
            name.removeprefix(f"{part}."): value.float() for name, value in heads.items() if name.startswith(f"{part}.")
        }
        state = module.state_dict()
        fitting = {name: value for name, value in held.items() if name in state and state[name].shape == value.shape}
        module.load_state_dict(state | fitting)
        run.say(f"heads: {len(fitting)} of {len(state)} tensors of the {part} side taken over")


def _resume(run: PretrainingRun, training: Pretraining) -> dict[str, int]:
    file = run.work / "state.safetensors"
    if not file.is_file() or run.options.go_on_from:
        return {"stage": 1, "step": 0}
    tensors, progress = read_state(file)
    load_state(training, tensors, progress)
    run.say(f"going on from stage {progress['stage']}, step {progress['step']}")
    return progress


def save(run: PretrainingRun, training: Pretraining, tokenizer: Any, course: Course, card: bool = False) -> None:
    """The running average as a whole base folder, the heads and the metrics beside it."""
    recipe = {
        "what": "BLIP-2 tiny base of Selvedge, pre-trained on drawn pictures only",
        "command": "python -m training.blip2.pretraining --out models/blip2-tiny",
        "recipe": run.recipe.to_dict(),
        "went_on_from": load_base(run.options.go_on_from).recipe.get("measured") if run.options.go_on_from else None,
        "versions": {"torch": str(torch.__version__), "transformers": transformers.__version__},
        "device": torch.cuda.get_device_name() if run.device.type == "cuda" else "cpu",
        "measured": _summary(run.metrics),
    }
    out = Path(run.options.out)
    model: Any = training.average.module
    recipe["digest"] = save_base(
        out, model, tokenizer, TINY.preprocessing, TINY.prompt, recipe, profile=TINY,
        card=model_card(run.recipe, run.metrics, model) if card else None,
    )  # fmt: skip
    heads = {f"text.{name}": value for name, value in training.text.state_dict().items()}
    heads |= {f"readouts.{name}": value for name, value in training.readouts.state_dict().items()}
    save_file(
        {name: value.detach().half().cpu().contiguous() for name, value in heads.items()},
        run.report / "heads.safetensors",
    )
    (run.report / "metrics.json").write_text(json.dumps(run.metrics | {"now": vars(course)}, indent=1))


def _summary(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics without their curves."""
    courses = [
        {name: course[name] for name in ("stage", "steps", "pictures", "seconds")} for course in metrics["courses"]
    ]
    return {**metrics, "courses": courses}


def examine(run: PretrainingRun, exam: Any) -> None:
    """Go or no-go, printed and kept."""
    recipe, out = run.recipe, Path(run.options.out)
    run.metrics["probe"] = run_probe(out, exam, run.device)
    run.say(f"probe: {json.dumps(run.metrics['probe'])}")
    if run.options.trials:
        seconds = max(20.0, run.options.probe_seconds * 0.6)
        run.metrics["trials"] = run_trials(out, exam, recipe.trial_products, recipe.trial_steps, run.device, seconds)
        for trial in run.metrics["trials"]:
            run.say(f"trial: {json.dumps(trial)}")


def parse(arguments: list[str] | None = None) -> tuple[argparse.Namespace, Recipe]:
    """Options and recipe of a command line."""
    parser = argparse.ArgumentParser(prog="python -m training.blip2.pretraining", description="Make the tiny base.")
    parser.add_argument("--out", required=True, help="folder of the base")
    parser.add_argument("--work", default=".selvedge/pretraining", help="corpus and state of an unfinished run")
    parser.add_argument("--report", help="where metrics.json and heads.safetensors go; the work folder when left out")
    parser.add_argument("--minutes", type=float, help="fit the whole run into so many minutes")
    parser.add_argument("--probe-seconds", type=float, default=110.0, help="kept of the minutes for probes and trials")
    parser.add_argument("--go-on-from", help="a base folder whose weights and tokenizer to start from")
    parser.add_argument("--heads", help="heads.safetensors of that base's run")
    parser.add_argument("--tiny", action="store_true", help="a few pictures and steps, to see that all is in place")
    parser.add_argument("--no-trials", dest="trials", action="store_false", help="leave the LoRA trials out")
    parser.add_argument("--say-steps", type=int, default=250, help="how often a line is printed")
    parser.add_argument("--draw-only", action="store_true", help="draw corpus and exam into the work folder, and stop")
    parser.add_argument("--eager", action="store_true", help="no CUDA graphs: every kernel of a step started by itself")
    parser.add_argument("--started-at", type=float, help="seconds since 1970 from which the minutes count")
    parser.add_argument("--device")
    parser.add_argument("--workers", type=int, help="processes that draw; all cores when left out")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=NUMBER", help="change a number of the recipe"
    )
    options = parser.parse_args(arguments)
    recipe = tiny_recipe() if options.tiny else Recipe()
    changes: dict[str, Any] = {}
    for entry in options.set:
        name, _, value = entry.partition("=")
        try:
            kind: Any = type(getattr(recipe, name, 0))
            changes[name] = kind(float(value))
        except ValueError as error:
            raise SelvedgeError(f"--set {entry}: {value!r} is not a number; write NAME=NUMBER.") from error
    return options, recipe.changed(**changes)


def main() -> None:
    options, recipe = parse()
    try:
        make_base(options, recipe)
    except CannotRecord as error:
        # What a failed recording leaves on the device is not to be trusted: the same command again, without.
        print(f"a step could not be recorded ({error}); starting again without graphs", flush=True)
        started = str(options.started_at or BEGAN)
        command = [
            sys.executable,
            "-m",
            "training.blip2.pretraining",
            *sys.argv[1:],
            "--eager",
            "--started-at",
            started,
        ]
        os.execv(sys.executable, command)
    except SelvedgeError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from error

"""The model card: what the base is, what it saw, what was measured. Written from the metrics of its own run.

Belongs here: the text of README.md in the base folder. Not here: measuring.
"""

from typing import Any

from torch import nn

from training.blip2.pretraining.recipe import Recipe


def model_card(recipe: Recipe, metrics: dict[str, Any], model: nn.Module) -> str:
    """Markdown of the card; every figure comes from `metrics`."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    lines = [
        "# blip2-tiny",
        "",
        "A small BLIP-2 (convolutional stem and ViT, Q-Former, T5) made by Selvedge's own code on drawn pictures only. It stands",
        "where a large public base stands: it has seen a world and its captions, but not the catalogue's questions or vocabulary.",
        "LoRA teaches those.",
        "",
        f"- {parameters / 1e6:.2f} M parameters, stored as float16 safetensors; licence Apache-2.0; no photograph was used.",
        f"- Seen: {recipe.garments:,} drawn garments (style `studio`; the style `atelier` is kept for tests) and {recipe.worlds:,}",
        "  pictures of a generic world (shapes, surfaces, figures, lines, letters), with seeds no catalogue may use.",
        "- Text: everyday captions, and questions of these kinds: open, choice, true or false, form, renaming, invented tongues,",
        "  copying. No question and no multi-word value of the catalogue occurs (tested); some single everyday words do.",
        "- Stage 1: image half against text (contrast, matching, captioning through the queries), with readouts of everyday phrases,",
        "  of the part map and of the main colour, all thrown away. Stage 2: language loss. Unlike the paper, which starts from",
        "  published weights and freezes them, the image half goes on learning in stage 2 at a lower rate.",
        "",
        "## Measured on drawn products of a seed that no training saw",
        "",
    ]
    lines += _measured(metrics)
    lines += [
        "",
        "## Limits",
        "",
        "It knows drawings. Photographs need the continuation on their catalogue first. It writes short answers only,",
        "and describes no person.",
        "",
    ]
    return "\n".join(lines)


def _measured(metrics: dict[str, Any]) -> list[str]:
    lines = ["| what | mean macro-F1 |", "|---|---|"]
    probe = metrics.get("probe")
    if probe:
        lines.append(f"| always the most frequent value | {probe['majority']:.3f} |")
        lines.append(f"| linear probe of the frozen features | {probe['mean']:.3f} |")
    for trial in metrics.get("trials", []):
        best = max(trial["macro_f1"], key=lambda how: trial["macro_f1"][how]["mean"])
        lines.append(
            f"| LoRA on {','.join(trial['targets'])}, {trial['steps']} steps, {trial['training_pairs']:,} pairs, {best} | "
            f"{trial['macro_f1'][best]['mean']:.3f} |"
        )
    if probe:
        lines += ["", "| attribute | linear probe |", "|---|---|"]
        lines += [f"| {name} | {value:.3f} |" for name, value in probe["by_attribute"].items()]
    for course in metrics.get("courses", []):
        lines.append("")
        lines.append(
            f"Stage {course['stage']}: {course['steps']:,} steps, {course['pictures']:,} pictures, {course['seconds']:.0f} s."
        )
    return lines

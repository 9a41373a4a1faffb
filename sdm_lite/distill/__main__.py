"""`python -m sdm_lite.distill TEACHER --output DIR`: draw the teacher's trajectories, then train a student on them."""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

from sdm_lite.checkpoints import Model, load_facts, load_model, load_tensors, read_configs, resolve, save_model
from sdm_lite.command import check_device, check_seed, default_device, run
from sdm_lite.concat import ConcatUNet
from sdm_lite.distill.training import CONFIG, losses_by_jump, train
from sdm_lite.distill.trajectories import PER_FILE, collect, load
from sdm_lite.files import check_writable, check_writable_folder, expanded, hold, to_json, write_whole
from sdm_lite.progress import duration, progress
from sdm_lite.student import Student
from sdm_lite.train import Run, TrainConfig, new_run
from sdm_lite.train.resume import load_state, state_of

SAVE_EVERY = 250  # steps: about a minute
HELD_OUT = 20  # one file of so many is never trained on
EARLIER = ("num_trajectories", "steps", "seconds")  # what a card tells of the student that another one began as


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m sdm_lite.distill",
        description="A student of a Scenes network that draws in 4, 2 or 1 evaluations, the guidance scale an input. "
        "The same command goes on where it was stopped. By default three quarters of an hour of one CPU core.",
    )
    made.add_argument("teacher", help="a shipped name such as scenes-32, or a file")
    made.add_argument("--output", type=Path, required=True, help="folder for trajectories, state and student")
    made.add_argument("--save", type=Path, help="write the student here too, with its card beside it")
    made.add_argument("--num-trajectories", type=int, default=6016, help="to learn from (default %(default)s)")
    made.add_argument("--start", help="go on from this student instead of the teacher: a shipped name, or a file")
    made.add_argument("--collect-only", action="store_true", help="draw trajectories, train nothing yet")
    made.add_argument("--num-steps", type=int, default=CONFIG.num_steps, help="of training (default %(default)s)")
    made.add_argument("--batch-size", type=int, default=CONFIG.batch_size, help="jumps a step (default %(default)s)")
    made.add_argument("--learning-rate", type=float, default=CONFIG.learning_rate, help="peak (default %(default)s)")
    made.add_argument("--seed", type=int, default=0, help="of everything random (default %(default)s)")
    made.add_argument("--device", default=default_device(), help="where to compute (default %(default)s)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    args = parser().parse_args(argv)
    return run(lambda: distill(args), interrupted="interrupted: the same command goes on")


def distill(args: argparse.Namespace) -> None:
    """Check, collect, train, write.

    Raises:
        ValueError: before any work, if something asked for cannot be, or the folder holds another run.
    """
    check_device(args.device)
    check_seed(args.seed)
    numbers = {name: getattr(args, name) for name in ("num_steps", "batch_size", "learning_rate", "seed")}
    config, output = replace(CONFIG, **numbers), expanded(args.output)
    if args.num_trajectories < 2 * PER_FILE:
        raise ValueError(f"--num-trajectories must be at least {2 * PER_FILE}, got {args.num_trajectories}")
    check_writable_folder(output)
    if args.save is not None:
        check_writable(args.save, option="--save")
    teacher, facts = load_model(args.teacher, device=args.device), load_facts(args.teacher)
    if isinstance(teacher.unet, ConcatUNet | Student) or facts.get("dataset", "scenes") != "scenes":
        raise ValueError(f"{args.teacher} must be a network for Scenes whose encoder reads no labels")
    first = teacher if args.start is None else starting_from(args.start, teacher)
    with hold(output / ".lock", busy=f"{output} is in use"):
        check_same(output / "teacher.json", {"teacher": digest(args.teacher), "seed": args.seed})
        num_files = -(-args.num_trajectories // PER_FILE)
        drawn = collect(teacher, output / "trajectories", num_files, seed=args.seed)
        paths = list(progress(drawn, description=f"trajectories, {PER_FILE} at a time", total=num_files))
        if not args.collect_only:
            begun = {} if args.start is None else {"start": digest(args.start)}
            check_same(output / "recipe.json", asdict(config) | {"num_files": num_files} | begun)
            student, told = fit(teacher, first, paths, config, output)
            made = {"command": f"python -m sdm_lite.distill {shlex.quote(args.teacher)}", "teacher": args.teacher}
            if args.start is not None:
                made["start"] = {name: load_facts(args.start)[name] for name in EARLIER}
            paths = [output / "student.safetensors", *([] if args.save is None else [expanded(args.save)])]
            write(paths, student, args.teacher, made | told)


def digest(weights: str) -> str:
    """The SHA-256 of a file of weights, so that a folder knows what it was begun with."""
    return hashlib.sha256(resolve(weights).read_bytes()).hexdigest()


def starting_from(weights: str, teacher: Model) -> Model:
    """An earlier student of this teacher's size and process; ValueError if it is none."""
    earlier, facts = load_model(weights, device=teacher.unet.device), load_facts(weights)
    if not isinstance(earlier.unet, Student) or not set(EARLIER) <= set(facts):
        raise ValueError(f"--start must be a student of python -m sdm_lite.distill, got {weights}")
    if earlier.unet.config != teacher.unet.config:
        raise ValueError(f"--start {weights} is a student of another network: {earlier.unet.config}")
    return earlier


def check_same(path: Path, asked: dict[str, object]) -> None:
    """Write what was asked for, or raise ValueError if the folder was begun with something else."""
    if not path.exists():
        write_whole(path, to_json(asked))
    elif (found := json.loads(path.read_text(encoding="utf-8"))) != asked:
        other = ", ".join(f"{name} {found.get(name)}" for name in asked if found.get(name) != asked[name])
        raise ValueError(f"{path.parent} was begun with {other}: give that, or another --output")


def fit(
    teacher: Model, first: Model, paths: list[Path], config: TrainConfig, output: Path
) -> tuple[Student, dict[str, object]]:
    """Train from the state on disk, or else from the first weights; the averaged student, and what is to be told."""
    held_out = max(1, len(paths) // HELD_OUT)
    seen, unseen = load(paths[:-held_out]), load(paths[-held_out:])
    torch.manual_seed(config.seed)
    student = Student(teacher.unet.config).to(teacher.unet.device)
    student.load_state_dict(first.unet.state_dict(), strict=False)  # a teacher has no aim: it adds nothing yet
    state, going = output / "state.pt", new_run(student, config)
    if state.exists():
        going = load_state(state, torch.load(state, map_location=teacher.unet.device, weights_only=True), going)
    start, before = time.perf_counter(), going.seconds

    def keep(run: Run) -> None:
        run = run._replace(seconds=before + time.perf_counter() - start)
        write_whole(state, lambda file: torch.save(state_of(run), file))

    losses = train(going, teacher.diffusion, seen, config)
    for going, _ in progress(losses, description="steps", total=config.num_steps - going.step):  # noqa: B020
        if going.step % SAVE_EVERY == 0 or going.step == config.num_steps:
            keep(going)
    seconds = torch.load(state, weights_only=True)["seconds"]
    some = type(seen)(*(part[: len(unseen.scale)] for part in seen))
    parts = {"seen": some, "unseen": unseen}
    by_jump = {name: losses_by_jump(going.ema, teacher.diffusion, part) for name, part in parts.items()}
    facts = {
        "num_trajectories": len(seen.scale),
        "collecting_seconds": round(sum(float(load_tensors(path)[1]["seconds"]) for path in paths), 1),
        "steps": config.num_steps,
        "seconds": round(seconds, 1),
        "threads": torch.get_num_threads(),
        "losses": by_jump,
        "train_config": asdict(config),
    }
    return going.ema, facts


def write(paths: list[Path], student: Student, teacher: str, facts: dict[str, object]) -> None:
    """The student and its card."""
    source = resolve(teacher)
    _, process = read_configs(load_tensors(source)[1], source)
    for path in paths:
        save_model(path, student, process, facts=facts, dtype=torch.float16)
        write_whole(path.with_suffix(".md"), card(path.stem, facts))
        print(f"wrote {path} and its card")


def card(name: str, facts: dict[str, object]) -> str:
    """What it is, how it was made and how long that took, what it has learned, how to draw with it."""
    seen, unseen = facts["losses"]["seen"], facts["losses"]["unseen"]
    threads = "1 thread" if facts["threads"] == 1 else f"{facts['threads']} threads"
    began = ""
    if (start := facts.get("start")) is not None:
        began = f"""
It began as an earlier student of this command: {start["num_trajectories"]} trajectories, {start["steps"]} steps
({duration(start["seconds"])}), to which all this was added."""
    rows = "\n".join(f"| {jump} | {seen[jump]:.4f} | {unseen[jump]:.4f} |" for jump in seen)
    return f"""# {name}

A student of `{facts["teacher"]}`, distilled for 4, 2 and 1 evaluations with the guidance scale as an input.
Made by `{facts["command"]}` with {facts["num_trajectories"]} trajectories
({duration(facts["collecting_seconds"])}) and {facts["steps"]} steps of {facts["train_config"]["batch_size"]} jumps
({duration(facts["seconds"])}) on {threads}.{began}

    student = load_model("{name}")
    draw_samples(student, label_maps, instance_maps, seeds, SampleSettings(num_steps=4, guidance_scale=1.5))

Squared error in v by jump, on trajectories that were trained on and that were not:

| jump | seen | unseen |
|---|---|---|
{rows}
"""


if __name__ == "__main__":
    raise SystemExit(main())

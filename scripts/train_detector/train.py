"""Train the detector, from random weights, with as many processes as asked for; stop it at any time and resume.

    python -m train_detector.train --data ../shared/datasets/people --out runs/everything --epochs 60
    python -m train_detector.train --data ../shared/datasets/people --out runs/everything --resume

On a CPU several processes of one thread each are faster than one of several threads. After each epoch the folder
`--out` holds last.pt (all that resuming needs), best.pt (the best mean AP50 so far) and log.csv. An interrupted epoch
starts again at its beginning; the result is that of a run that was never interrupted.
"""

import argparse
import copy
import csv
import dataclasses
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import cv2
import torch
import torch.distributed as ranks
from torch import Tensor, nn
from torch.utils.data import DataLoader

from train_detector import checkpoint
from train_detector.batches import Batch, EpochPlan, TrainingBatches
from train_detector.data import TIERS, Photographs
from train_detector.evaluate import Scorecard, find_all, score
from train_detector.loss import Losses, compute_losses
from train_detector.network import Detector, NetworkConfig, count_parameters
from train_detector.plan import (
    DRAWN_FROM,
    GRADIENT_LIMIT,
    MINE_EVERY,
    MINE_FROM,
    MISTAKE_SCORE,
    Plan,
    canvas_sides_px,
    learning_rate,
    mean_decay,
    recipe,
)
from train_detector.points import Points, decode, locate

RANKS_TIMEOUT = timedelta(hours=2)
"""How long processes wait for each other: long, because the machine may be shared or asleep."""


@dataclass(frozen=True)
class Run:
    """Where a run reads and writes, and with what: nothing here changes its result."""

    data: Path
    out: Path
    cache: Path
    processes: int
    threads: int
    workers: int
    """Processes that only prepare batches, for each training process; 0 prepares them in between."""

    device: str
    evaluate_every: int
    resume: bool
    weights: Path | None
    """Start from these instead of random ones."""


@dataclass
class Progress:
    """What changes while a run goes on, besides the weights."""

    epoch: int = 0
    """Epochs done."""

    step: int = 0
    best_mean_ap: float = 0.0
    mistakes: list[int] = dataclasses.field(default_factory=list)
    """Hard negatives: see EpochPlan."""


@dataclass(frozen=True)
class EpochResult:
    """Means over the epoch, of this process."""

    score_loss: float
    box_loss: float
    images: int
    seconds: float


class Trainer:
    """One process of a run."""

    def __init__(self, run: Run, plan: Plan, rank: int) -> None:
        self.run, self.plan, self.rank = run, plan, rank
        self.device = torch.device(run.device)
        self.train_set = Photographs(run.data / "train", tiers=plan.tiers, cache_folder=run.cache)
        self.val_set = Photographs(run.data / "val", tiers=TIERS, cache_folder=run.cache)
        torch.manual_seed(plan.seed)
        self.network = Detector(NetworkConfig()).to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean = copy.deepcopy(self.network).requires_grad_(requires_grad=False)
        self.optimiser = torch.optim.AdamW(
            _parameter_groups(self.network, plan.weight_decay), lr=plan.learning_rate, fused=True
        )
        self.progress = Progress()
        self._points: dict[tuple[int, int], Points] = {}

    @property
    def steps_per_epoch(self) -> int:
        return len(self.train_set) // self.plan.batch_size

    def train(self) -> None:
        """To the end of the plan."""
        if self.plan.begin >= MINE_FROM and self.progress.epoch == 0:
            self.progress.mistakes = self._mine()
        while self.progress.epoch < self.plan.epochs:
            result = self._train_epoch()
            self.progress.epoch += 1
            card = self._evaluate() if self._is_evaluated() else None
            if self.progress.epoch % MINE_EVERY == 0 and self.plan.progress(self.progress.epoch) >= MINE_FROM:
                self.progress.mistakes = self._mine()
            if self.rank == 0:
                self._save(card)
                self._log(result, card)

    def _is_evaluated(self) -> bool:
        return self.progress.epoch % self.run.evaluate_every == 0 or self.progress.epoch == self.plan.epochs

    def _train_epoch(self) -> EpochResult:
        self.network.train()
        started = time.monotonic()
        sums = torch.zeros(2)
        images = 0
        for batch in self._batches():
            losses = self._step(batch)
            sums += torch.stack([losses.score, losses.box]).detach().cpu()
            images += len(batch.images) * self.run.processes
        means = sums / self.steps_per_epoch
        return EpochResult(float(means[0]), float(means[1]), images, time.monotonic() - started)

    def _batches(self) -> DataLoader[Batch]:
        progress = self.plan.progress(self.progress.epoch)
        epoch_plan = EpochPlan(
            seed=self.plan.seed,
            epoch=self.progress.epoch,
            batch_size=self.plan.batch_size,
            canvas_sides_px=canvas_sides_px(progress),
            recipe=recipe(progress),
            drawn_share=self.plan.drawn_share if progress >= DRAWN_FROM else 0.0,
            mistakes=tuple(self.progress.mistakes),
        )
        batches = TrainingBatches(self.train_set, epoch_plan, rank=self.rank, world=self.run.processes)
        return DataLoader(batches, batch_size=None, shuffle=False, num_workers=self.run.workers)

    def _step(self, batch: Batch) -> Losses:
        rate = learning_rate(self.plan, self.progress.step, self.plan.epochs * self.steps_per_epoch)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        images = batch.images.to(self.device).permute(0, 3, 1, 2)  # channels_last in memory, as it came
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.plan.bfloat16):
            logits, encoded = self.network(images.float())
        points = self._points_of(images)
        losses = compute_losses(logits, decode(encoded, points), batch.targets.to(self.device), points)
        self.optimiser.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        average_over_processes(self.network, self.run.processes)
        nn.utils.clip_grad_norm_(self.network.parameters(), GRADIENT_LIMIT)
        self.optimiser.step()
        follow(self.mean, self.network, mean_decay(self.plan, self.progress.step))
        self.progress.step += 1
        return losses

    def _points_of(self, images: Tensor) -> Points:
        size = (images.shape[2], images.shape[3])
        if size not in self._points:
            self._points[size] = locate(*size).to(self.device)
        return self._points[size]

    def _evaluate(self) -> Scorecard:
        rows = range(len(self.val_set))
        ids = [self.val_set.about(row).image_id for row in rows]
        return score(self.val_set.annotations_path, self._find(self.val_set, rows), ids)

    def _mine(self) -> list[int]:
        """Training pictures of nothing in which the averaged network sees something."""
        empty = self.train_set.empty()
        seen = {found["image_id"] for found in self._find(self.train_set, empty) if found["score"] > MISTAKE_SCORE}
        return [index for index in empty if self.train_set.about(index).image_id in seen]

    def _find(self, photographs: Photographs, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Every process finds its share, and all know the result."""
        own = find_all(self.mean, photographs, rows[self.rank :: self.run.processes])
        shares = [own]
        if self.run.processes > 1:
            shares = [[] for _ in range(self.run.processes)]
            ranks.all_gather_object(shares, own)
        return [found for share in shares for found in share]

    def _save(self, card: Scorecard | None) -> None:
        best = card is not None and card.mean > self.progress.best_mean_ap
        if card is not None and best:
            self.progress.best_mean_ap = card.mean
        state = {
            "config": checkpoint.describe(self.network),
            "network": self.network.state_dict(),
            "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": dataclasses.asdict(self.progress),
            "plan": dataclasses.asdict(self.plan),
            "random": torch.get_rng_state(),
        }
        checkpoint.save(self.run.out / "last.pt", state)
        if best:
            light = {key: state[key] for key in ("config", "mean", "progress", "plan")}
            checkpoint.save(self.run.out / "best.pt", light)

    def restore(self) -> None:
        """Go on where last.pt was written."""
        state = checkpoint.load(self.run.out / "last.pt")
        self.network.load_state_dict(state["network"])
        self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(**state["progress"])
        torch.set_rng_state(state["random"])

    def start_from(self, path: Path) -> None:
        """Begin a new run with the averaged weights of an earlier one."""
        state = checkpoint.load(path)["mean"]
        self.network.load_state_dict(state)
        self.mean.load_state_dict(state)

    def _log(self, result: EpochResult, card: Scorecard | None) -> None:
        row: dict[str, str | int | float] = {
            "epoch": self.progress.epoch,
            "step": self.progress.step,
            "learning_rate": f"{self.optimiser.param_groups[0]['lr']:.6f}",
            "score_loss": f"{result.score_loss:.4f}",
            "box_loss": f"{result.box_loss:.4f}",
            "mistakes": len(self.progress.mistakes),
            "images_per_s": f"{result.images / result.seconds:.1f}",
            "train_s": f"{result.seconds:.0f}",
            "canvas_px": "-".join(map(str, canvas_sides_px(self.plan.progress(self.progress.epoch - 1)))),
            "face_ap50": f"{card.average_precision['face']:.4f}" if card else "",
            "person_ap50": f"{card.average_precision['person']:.4f}" if card else "",
            "face_recall": f"{card.face_recall:.2f}" if card else "",
            "written": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        path = self.run.out / "log.csv"
        fresh = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row)
            if fresh:
                writer.writeheader()
            writer.writerow(row)
        print("  ".join(f"{key} {value}" for key, value in row.items() if value != ""), flush=True)


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Convolutions decay, except depthwise ones; normalisation and biases do not."""
    decaying = [p for p in network.parameters() if p.ndim == 4 and p.shape[1] > 1]
    others = [p for p in network.parameters() if p.ndim != 4 or p.shape[1] == 1]
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def average_over_processes(network: nn.Module, processes: int) -> None:
    """Gradients and the statistics of the normalisations become the mean of all processes, in one message."""
    if processes == 1:
        return
    tensors = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    tensors += [buffer for buffer in network.buffers() if buffer.is_floating_point()]
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    ranks.all_reduce(flat)
    flat /= processes
    for tensor, part in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


@torch.no_grad()
def follow(mean: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the average towards the network, statistics included."""
    torch._foreach_lerp_(_floats(mean), _floats(network), 1 - decay)


def _floats(network: nn.Module) -> list[Tensor]:
    tensors = [*network.parameters(), *network.buffers()]
    return [tensor.detach() for tensor in tensors if tensor.is_floating_point()]


def _work(rank: int, run: Run, plan: Plan) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # PyTorch sends it when the parent dies; nohup and & had it ignored
    torch.set_num_threads(run.threads)
    cv2.setNumThreads(1)
    if run.processes > 1:
        ranks.init_process_group(
            "gloo",
            store=ranks.FileStore(  # type: ignore[attr-defined]
                str(_meeting_place(run)), run.processes
            ),
            rank=rank,
            world_size=run.processes,
            timeout=RANKS_TIMEOUT,
        )
    trainer = Trainer(run, plan, rank)
    if run.resume:
        trainer.restore()
    elif run.weights:
        trainer.start_from(run.weights)
    if rank == 0:
        print(
            f"{count_parameters(trainer.network) / 1e6:.3f} M parameters, {len(trainer.train_set)} pictures, "
            f"{trainer.steps_per_epoch} steps an epoch, epoch {trainer.progress.epoch} of {plan.epochs}",
            flush=True,
        )
    trainer.train()
    if run.processes > 1:
        ranks.destroy_process_group()


def _meeting_place(run: Run) -> Path:
    return run.out / ".meeting"


def read_plan(arguments: argparse.Namespace) -> Plan:
    """From the command line; a resumed run keeps its own, but its length may change."""
    given = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(Plan)}
    given = {name: value for name, value in given.items() if value is not None}
    if not arguments.resume:
        return Plan(**given)
    saved = checkpoint.load(arguments.out / "last.pt")["plan"]
    refused = sorted(set(given) - {"epochs"})
    if refused:
        raise SystemExit(f"a resumed run keeps its plan; it takes no {', '.join(refused)}")
    return Plan(**{**saved, "tiers": tuple(saved["tiers"]), **given})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/datasets/people"), help="has train and val")
    parser.add_argument("--out", type=Path, default=Path("../out/training"))
    parser.add_argument("--cache", type=Path, default=Path("../out/cache"), help="decoded pictures, 1.1 GB")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
    parser.add_argument("--workers", type=int, default=0, help="batch-making processes for each process; for GPUs")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--evaluate-every", type=int, default=2, metavar="EPOCHS")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.pt")
    parser.add_argument("--weights", type=Path, help="start from the averaged weights of this checkpoint")
    plan = parser.add_argument_group("plan (defaults: see plan.py)")
    plan.add_argument("--epochs", type=int)
    plan.add_argument("--seed", type=int)
    plan.add_argument("--batch-size", type=int)
    plan.add_argument("--tiers", nargs="+", choices=TIERS)
    plan.add_argument("--learning-rate", type=float)
    plan.add_argument("--weight-decay", type=float)
    plan.add_argument("--mean-decay", type=float)
    plan.add_argument("--begin", type=float, metavar="PROGRESS")
    plan.add_argument("--drawn-share", type=float)
    plan.add_argument("--bfloat16", action=argparse.BooleanOptionalAction)
    return parser


def main() -> None:
    """The command line."""
    arguments = _parser().parse_args()
    plan = read_plan(arguments)
    run = Run(**{field.name: getattr(arguments, field.name) for field in dataclasses.fields(Run)})
    run.out.mkdir(parents=True, exist_ok=True)
    _meeting_place(run).unlink(missing_ok=True)
    for split, tiers in (("train", plan.tiers), ("val", TIERS)):
        Photographs(run.data / split, tiers=tiers, cache_folder=run.cache)  # made once, before all ask for it
    if run.processes == 1:
        _work(0, run, plan)
        return
    os.environ.setdefault("OMP_NUM_THREADS", str(run.threads))
    torch.multiprocessing.spawn(_work, args=(run, plan), nprocs=run.processes)  # type: ignore[attr-defined, no-untyped-call]


if __name__ == "__main__":
    main()

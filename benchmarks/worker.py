"""Trains one workload, a block of steps at a time, whenever the benchmark says so.

Reads the number of steps of the next block from standard input; answers with the seconds they took
and the processor seconds. While it waits for its turn its clock stands still, so that a tool which
keeps to a share of the run time does not take the waiting for training.
"""

import sys
import time


class Clock:
    """Seconds, those left out in which the process waited for its turn."""

    def __init__(self) -> None:
        self.real = time.perf_counter
        self.waited = 0.0
        self.since: float | None = None

    def __call__(self) -> float:
        return (self.real() if self.since is None else self.since) - self.waited

    def stop(self) -> None:
        self.since = self.real()

    def go_on(self) -> None:
        assert self.since is not None
        self.waited += self.real() - self.since
        self.since = None


clock = Clock()
time.perf_counter = clock  # before torch, and so before any tool that measures time

import argparse  # noqa: E402
from collections.abc import Callable  # noqa: E402
from importlib import import_module  # noqa: E402

import torch  # noqa: E402
from torch import nn  # noqa: E402

Log = Callable[[float], None]


def tool(name: str, net: nn.Module, folder: str) -> Log:
    """What is called with the loss after each step."""
    if name == "wandb":
        import wandb

        wandb.init(project="overhead", mode="offline", dir=folder)
        wandb.watch(net, log="all", log_freq=1)
        return lambda loss: wandb.log({"loss": loss})
    if name == "tensorboard":
        from torch.utils.tensorboard import SummaryWriter

        writer, step = SummaryWriter(folder), 0

        def log(loss: float) -> None:
            nonlocal step
            writer.add_scalar("loss", loss, step)
            for key, p in net.named_parameters():
                writer.add_histogram(key, p, step)
                if p.grad is not None:
                    writer.add_histogram(f"{key}.grad", p.grad, step)
            step += 1

        return log
    return lambda loss: None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("--tool", default="")
    parser.add_argument("--folder", default=".")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    home = import_module(f"workloads.{options.workload}")
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(1)
    net = home.model().to(options.device)
    optimizer = torch.optim.AdamW(net.parameters(), lr=home.RATE)
    log = tool(options.tool, net, options.folder)
    answers = sys.stdout
    sys.stdout = sys.stderr  # whatever the tools print is no answer
    print("ready", file=answers, flush=True)
    clock.stop()
    for line in sys.stdin:
        clock.go_on()
        start, spent = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            x, y = (t.to(options.device) for t in home.batch(draw))
            loss = home.loss(net, x, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            log(loss.item())
        if options.device != "cpu":
            torch.cuda.synchronize()
        took = time.perf_counter() - start, time.process_time() - spent
        print(*took, file=answers, flush=True)
        clock.stop()


main()

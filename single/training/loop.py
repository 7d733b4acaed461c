"""The training loop, with checkpoints from which a later run resumes."""

from __future__ import annotations

import copy
import csv
import io
import logging
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from burstsr.core.errors import BurstsrError, InputFileError, OutputError, SettingsError
from burstsr.io.atomic import atomic
from single.data.pairs import Pairs
from single.descriptor import Descriptor
from single.inference.runner import chosen_device, multiplies_bf16, out_of_memory
from single.loading import find, load
from single.losses import adversarial, pixel_loss
from single.losses.perceptual import COBI_LAYERS, VGG19, cobi_loss
from single.networks import build
from single.networks.srresnet import Discriminator
from single.training.begin import begin
from single.training.memory_format import faster_in_channels_last, laid_out
from single.training.plan import Plan
from single.training.validation import VALIDATION, Validation
from single.weights_file import read_header, read_weights, write_weights

log = logging.getLogger("burstsr.single")
CHECKPOINT, LOG, BEST = "checkpoint.pt", "log.csv", "best.safetensors"
Report = Callable[[dict[str, float]], None]
_WORTH_STEPS = 200  # of a training, for which six passes are spent on measuring
FIELDS = ("step", "seconds", "rate", "loss", "discriminator", "val_psnr", "val_ssim")


class Training:
    """Training of one network in a folder. `run` resumes from the folder's checkpoint if there is one.

    pairs: source of batches. validation: images not used for training. out: the folder: checkpoint.pt, log.csv, best.safetensors, and validation
    images. start: initial weights, "" for random ones; required for a GAN. Raises SettingsError for a checkpoint of another plan or an unavailable
    device, InputFileError for unusable weights or checkpoint, OutputError for a folder that cannot be written.
    """

    def __init__(self, plan: Plan, pairs: Pairs, validation: Validation, out: Path, start: str | Path = "") -> None:
        if plan.gan and not start and not (out / CHECKPOINT).is_file():
            raise SettingsError("GAN training must start from a pre-trained network: --start FILE (from random weights it collapses)")
        if not (out / CHECKPOINT).is_file():
            begin(out / LOG, ",".join(FIELDS), (BEST, VALIDATION))
        torch.manual_seed(plan.seed)
        if plan.threads:
            torch.set_num_threads(plan.threads)
        self.plan, self.pairs, self.validation, self.out = plan, pairs, validation, out
        self.device = chosen_device(plan.device)
        self.net = build(plan.descriptor).to(self.device)
        if plan.paper_start and plan.descriptor.architecture == "srcnn":
            _as_published(self.net)
        if start:
            _load(self.net, start, plan)
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.optimiser = torch.optim.Adam(self.net.parameters(), plan.rate, betas=(0.9, 0.99))
        self.discriminator = _discriminator(plan).to(self.device) if plan.gan else None
        if self.discriminator is not None:
            self.discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU
        self.judge_optimiser = torch.optim.Adam(self.discriminator.parameters(), plan.rate, betas=(0.9, 0.99)) if self.discriminator else None
        self.pixel = pixel_loss(plan.loss, plan.descriptor.scale, plan.spatial_weight)
        on_features = plan.loss == "cobi" and plan.vgg
        self.cobi_features = VGG19.load(plan.vgg, tuple(COBI_LAYERS), True).to(self.device) if on_features else None
        self.features = _features(plan).to(self.device) if plan.perceptual_weight else None
        self.bf16 = multiplies_bf16(self.device) if plan.bf16 is None else plan.bf16
        self.channels_last = plan.channels_last
        self.step, self.seconds, self.best = 0, 0.0, -math.inf
        writable(out)
        if (out / CHECKPOINT).is_file():
            self._resume()

    def run(self, report: Report | None = None) -> float:
        """Train to the plan's last step. Returns the best validation PSNR, dB.

        Raises BurstsrError where the loss becomes NaN or memory runs out, OutputError.
        """
        try:
            return self._run(report)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            asked = f"--batch {self.plan.batch} and --patch-px {self.plan.patch_px}"
            raise BurstsrError(f"not enough memory for {asked} on {self.device}; try smaller ones") from error

    def _run(self, report: Report | None) -> float:
        start, losses, judged, first = time.perf_counter() - self.seconds, [], [], self.step
        while self.step < self.plan.steps:
            rng = np.random.default_rng((self.plan.seed, self.step))  # seeded by the step, so that a resumed run is identical to an uninterrupted one
            given, wanted = (part.to(self.device) for part in self.pairs.batch(self.plan.batch, self.plan.patch_px, rng))
            if self.step == first:
                self._choose_memory_format(given)
            loss, discriminator = self._advance(laid_out(given, bool(self.channels_last)), wanted)
            if not math.isfinite(loss):
                raise BurstsrError(f"step {self.step}: the loss is {loss}; try a smaller --rate")
            losses.append(loss)
            judged.append(discriminator)
            self.step += 1
            if self.step % self.plan.validate_every == 0 or self.step == self.plan.steps:
                self.seconds = time.perf_counter() - start
                psnr, ssim = self.validation.measure(self.average, self.out if self.step == self.plan.steps else None)
                line = dict(zip(FIELDS, (self.step, self.seconds, self.rate, float(np.mean(losses)), float(np.mean(judged)), psnr, ssim), strict=True))
                losses, judged = [], []
                self._keep(line)
                if report:
                    report(line)
        return self.best

    def _choose_memory_format(self, given: Tensor) -> None:
        """Choose the order of images in memory with the first batch, and lay out the networks in it."""
        if self.channels_last is None:
            worth = self.plan.steps - self.step >= _WORTH_STEPS
            self.channels_last = worth and faster_in_channels_last(self.net, given, self._precision)
            log.info("%s: images in memory: channels %s", self.plan.descriptor.name, "last" if self.channels_last else "first")
        if self.channels_last:
            for net in (self.net, self.average):
                net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def rate(self) -> float:
        """Return the current learning rate: half a cosine from the plan's initial to its final rate."""
        done = self.step / self.plan.steps
        return self.plan.final_rate + (self.plan.rate - self.plan.final_rate) * 0.5 * (1 + math.cos(math.pi * done))

    def _advance(self, given: Tensor, wanted: Tensor) -> tuple[float, float]:
        for optimiser in (self.optimiser, self.judge_optimiser):
            for group in optimiser.param_groups if optimiser else ():
                group["lr"] = self.rate
        self.net.train()
        with self._precision():
            made = self.net(given)
        made = made.float()
        loss, judged = self.plan.pixel_weight * self.pixel(made, wanted), 0.0
        if self.plan.l1_weight:
            loss = loss + self.plan.l1_weight * (made - wanted).abs().mean()
        if self.cobi_features is not None:
            loss = loss + self.plan.pixel_weight * cobi_loss(self.cobi_features, made, wanted, self.plan.spatial_weight)
        if self.features is not None:
            loss = loss + self.plan.perceptual_weight * (self.features(made) - self.features(wanted)).abs().mean()
        if self.discriminator is not None:
            judged = self._train_discriminator(made.detach(), wanted)
            self.discriminator.requires_grad_(False)
            with self._precision():
                real, fake = self.discriminator(wanted), self.discriminator(made)
            loss = loss + self.plan.adversarial_weight * adversarial.generator_loss(real.float(), fake.float(), self.plan.relativistic)
            self.discriminator.requires_grad_(True)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        with torch.no_grad():
            keep = min(self.plan.ema, (1 + self.step) / (10 + self.step))
            for mean, now in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
                mean.lerp_(now, 1 - keep) if mean.is_floating_point() else mean.copy_(now)
        return float(loss.detach()), judged

    def _train_discriminator(self, made: Tensor, wanted: Tensor) -> float:
        assert self.discriminator is not None and self.judge_optimiser is not None
        with self._precision():
            real, fake = self.discriminator(wanted), self.discriminator(made)
        loss = adversarial.discriminator_loss(real.float(), fake.float(), self.plan.relativistic)
        self.judge_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.judge_optimiser.step()
        return float(loss.detach())

    def _precision(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def _keep(self, line: dict[str, float]) -> None:
        state = {
            "plan": _plain(self.plan), "step": self.step, "seconds": self.seconds, "best": self.best, "net": self.net.state_dict(),
            "average": self.average.state_dict(), "optimiser": self.optimiser.state_dict(),
            "channels_last": self.channels_last,
            "judge": self.discriminator.state_dict() if self.discriminator else {},
            "judge_optimiser": self.judge_optimiser.state_dict() if self.judge_optimiser else {},
        }  # fmt: skip
        if self.plan.gan or line["val_psnr"] > self.best:  # a GAN gets sharper while its PSNR falls: its last weights are used
            self.best = state["best"] = line["val_psnr"]
            write_weights(self.out / BEST, self.average, self.plan.descriptor, {"step": str(self.step), "val_psnr": f"{line['val_psnr']:.3f}"})
        whole = io.BytesIO()  # torch raises an unspecific RuntimeError for a full disk
        torch.save(state, whole)
        with atomic(self.out / CHECKPOINT) as temporary:
            temporary.write_bytes(whole.getbuffer())
        lines = _lines(self.out / LOG, before=self.step) + [line]
        with atomic(self.out / LOG) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows({name: f"{float(row[name]):.6g}" for name in FIELDS} for row in lines)

    def _resume(self) -> None:
        path = self.out / CHECKPOINT
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)
            other = {name for name, value in _plain(self.plan).items() if state["plan"].get(name, value) != value} - {
                "threads",
                "device",
                "bf16",
                "channels_last",
                "validate_every",
            }
        except Exception as error:
            raise InputFileError(f"{path}: not a readable checkpoint ({error}); choose another folder") from error
        if other - {"steps"}:
            raise SettingsError(f"{path} was started with different settings ({', '.join(sorted(other))}); choose another folder")
        try:
            self.step, self.seconds, self.best = int(state["step"]), float(state["seconds"]), float(state["best"])
            if self.channels_last is None:
                self.channels_last = bool(state.get("channels_last", False))
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            if self.discriminator is not None and self.judge_optimiser is not None:
                self.discriminator.load_state_dict(state["judge"])
                self.judge_optimiser.load_state_dict(state["judge_optimiser"])
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise InputFileError(f"{path}: damaged checkpoint ({error}); choose another folder") from error


def _plain(plan: Plan) -> dict[str, Any]:
    return {**asdict(plan), "descriptor": plan.descriptor.to_json()}


def _lines(path: Path, before: int) -> list[dict[str, Any]]:
    """Return the lines of a log up to the resumed step. Raises InputFileError for other files."""
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file) if float(row["step"]) < before and all(float(row[name]) is not None for name in FIELDS)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputFileError(f"{path}: not a training log ({error!r}); move it away, or choose another folder") from error


def writable(folder: Path) -> None:
    """Create the folder, and check that it can be written, before anything is computed. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError as error:
        raise OutputError(f"{folder}: is a file; must be a folder") from error
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror or error})") from error


def _load(net: nn.Module, start: str | Path, plan: Plan) -> None:
    """Load initial weights: of the same network or of one for another scale, whose last layers ("up") are then left as they are (Lim 2017, "EDSR", 3.3)."""
    given, descriptor = _start(start)
    wanted = net.state_dict()
    state = given
    if descriptor and descriptor.scale != plan.descriptor.scale and descriptor.architecture == plan.descriptor.architecture:
        state = {key: value if key.startswith("up.") else given.get(key, value) for key, value in wanted.items()}
        log.info("%s: of scale %d; the last layers of %s start from random weights", start, descriptor.scale, plan.descriptor.name)
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        of = f"of {descriptor.name}" if descriptor else "of another network"
        raise InputFileError(f"{start}: the weights are {of} and do not fit {plan.descriptor.name}") from error


def _start(path: str | Path) -> tuple[Mapping[str, Tensor], Descriptor | None]:
    """Read initial weights of any supported kind: .safetensors, .pth in any key style, an ncnn pair."""
    if Path(path).suffix.lower() == ".safetensors" and read_header(path)[0] is not None:
        return read_weights(path)
    found = load(find(path))
    return found.network.state_dict(), found.descriptor


def _as_published(net: nn.Module) -> None:
    """Draw the weights of SRCNN as its paper does: standard deviation 0.001, biases 0 (Dong 2016, section 4.1)."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.normal_(layer.weight, 0, 0.001)
            nn.init.zeros_(layer.bias)


def _discriminator(plan: Plan) -> Discriminator:
    return Discriminator(plan.discriminator_width, plan.discriminator_dense, plan.discriminator_pairs)


def _features(plan: Plan) -> nn.Module:
    return VGG19.load(plan.vgg, ("conv5_4",), plan.before_activation).single()

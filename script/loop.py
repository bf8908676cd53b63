"""The part of a script that trains."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from api_schemas.catalog.call import Call, Name
from api_schemas.catalog.metrics import better
from api_schemas.plan import batches_per_epoch
from script.descent import Descent
from script.optimizer import Steps
from script.page import Page
from script.subject import Subject


class Loop:
    """Writes the loop over epochs and steps, with nothing in it that this job has no use for.

    Args:
        page: the script, `network`, `criterion`, the optimizer and `evaluate` already in it.
        subject: whose run it is.
        steps: what the optimizer wants done.
    """

    def __init__(self, page: Page, subject: Subject, steps: Steps) -> None:
        self._page, self._subject, self._steps = page, subject, steps
        self._descent = Descent(page, subject, steps)
        self._training, self._entry = subject.spec.training, subject.spec.optimizer

    def write(self) -> None:
        """Write it, and the digest of the weights that come out."""
        self._page.heading("Training")
        self._write_batches()
        self._descent.write_report()
        states = [*self._descent.states(), *self._average(), *self._best(), *self._stopping_states(), "step = -1"]
        if self._judges_elsewhere:
            self._page.code("\n".join(states[:-1]))
            self._write_judged()
            states = states[-1:]
        epochs = [f"for epoch in range({self._training.epochs}):", *_indented(self._epoch(), 1)]
        self._page.code("\n".join([*states, *epochs]))
        self._write_end()

    def _write_batches(self) -> None:
        training, rows = self._training, self._subject.plan.train_rows
        size = training.batch_size
        every = batches_per_epoch(rows, size, training.drop_last)
        whole = "" if every * size >= rows else f"[:{every}]"
        device = ".to(device)" if self._subject.on_gpu else ""
        self._page.imports.module("numpy", "np")
        self._page.imports.name("torch", "Tensor")
        self._page.imports.name("collections.abc", "Sequence")
        self._page.code(
            f"""
def batches(epoch: int) -> Sequence[Tensor]:
    \"\"\"Row numbers of each batch; their order depends on the seed and the epoch alone.\"\"\"
    order = np.random.default_rng([{training.seed}, epoch]).permutation({rows})
    return torch.from_numpy(order){device}.split({size}){whole}
"""
        )

    def _average(self) -> list[str]:
        if self._training.averaging is None:
            return []
        return [self._page.line("averaged = ", self._training.averaging.call(Name("network")))]

    def _best(self) -> list[str]:
        if not self._keeps_best:
            return []
        higher = Name(repr(better(self._best_metric) == "higher"))
        return [self._page.line("kept = ", Call("training.best.BestWeights", (), {"higher": higher}))]

    @property
    def _keeps_best(self) -> bool:
        return self._training.keep == "best"

    @property
    def _best_metric(self) -> str:
        return self._training.best_metric or "val/loss"

    def _stopping_states(self) -> list[str]:
        return ["best, waited = None, 0  # of early stopping"] if self._training.early_stopping else []

    @property
    def _judges_elsewhere(self) -> bool:
        """Whether the weights that are judged are not those of the training."""
        return self._entry.switches_mode or self._training.averaging is not None

    def _write_judged(self) -> None:
        """Write the context in which the network is judged."""
        page, switches = self._page, self._entry.switches_mode
        page.imports.name("torch", "nn")
        page.imports.name("contextlib", "contextmanager")
        page.imports.name("collections.abc", "Iterator")
        model, lines = "network", list[str]()
        if self._training.averaging:
            model = "model"
            lines.append("model = averaged.module if averaged.n_averaged > 0 else network")
        if self._subject.spec.model.uses_batch_statistics:
            rows = Name("(x_train[batch] for batch in batches(0))")
            refresh = page.line("", Call("training.averaging.refresh_batch_statistics", (Name(model), rows)))
            lines += [refresh] if switches else ["if model is not network:", f"    {refresh}"]
        lines.append(f"yield {model}")
        if switches:
            moved = page.line("with ", Call("training.optimization.evaluation_weights", _names("optimizer", "network")))
            lines = [f"{moved}:", *_indented(lines, 1)]
        head = ["@contextmanager", "def judged() -> Iterator[nn.Module]:"]
        page.code("\n".join([*head, '    """The network with the weights that are judged."""', *_indented(lines, 1)]))

    def _epoch(self) -> list[str]:
        """The body of the loop over epochs."""
        size = self._training.accumulate_batches
        if size == 1:
            lines = ["for batch in batches(epoch):", *_indented(self._step(), 1)]
        else:
            lines = ["every = batches(epoch)", f"for start in range(0, len(every), {size}):"]
            lines += _indented([f"parts = every[start : start + {size}]", *self._step()], 1)
        return [*lines, *self._evaluation()]

    def _step(self) -> list[str]:
        """One step of the optimizer and what it prints."""
        closure = self._entry.needs in ("closure", "gradient_and_closure")
        update = self._closure_update() if closure else self._plain_update()
        return ["step += 1", *self._steps.schedule, *update, *self._take_average()]

    def _plain_update(self) -> list[str]:
        steps = [f"{optimizer}.step()" for optimizer in self._steps.optimizers]
        free = ["gradient.free()"] if self._entry.needs == "graph" else []
        update = [*self._descent.clip("norms.add(norm)"), *steps, *free]
        if self._descent.scales:
            update = ["if scale.allows(gradient.norm()):", *_indented(update, 1)]
        return [*self._descent.take(), "report(step, loss)", *update]

    def _closure_update(self) -> list[str]:
        """An optimizer may ask for the loss again, at other weights: the first answer is the step's."""
        percentile = self._training.gradient_clip_percentile is not None
        limit = ["limits.append(norms.add(gradient.norm()))"] if percentile else []
        first = ["if not answers:", *_indented(["report(step, loss)", *limit], 1)]
        clip = self._descent.clip("limits[0]")
        body = [*self._descent.take(), *first, "answers.append(loss.detach())", *clip, "return answers[-1]"]
        return [
            "answers: list[Tensor] = []  # the first is the step's; the optimizer may ask again, at other weights",
            *(["limits: list[Tensor] = []"] if percentile else []),
            "",
            "@torch.enable_grad()",
            "def closure() -> Tensor:",
            *_indented(body, 1),
            "",
            *(["closure()"] if self._entry.needs == "gradient_and_closure" else []),
            "optimizer.step(closure)",
        ]

    def _take_average(self) -> list[str]:
        """Take the weights into the average where it is their turn."""
        entry, plan = self._training.averaging, self._subject.plan
        if entry is None:
            return []
        first, period = entry.first_step(plan.total_steps, plan.steps_per_epoch), entry.period(plan.steps_per_epoch)
        due = [f"step + 1 >= {first}"] if first > period else []
        due += [f"(step + 1) % {period} == 0"] if period > 1 else []
        update = "averaged.update_parameters(network)"
        return [f"if {' and '.join(due)}:", f"    {update}"] if due else [update]

    def _evaluation(self) -> list[str]:
        """What happens at the end of an epoch."""
        if not self._subject.plan.validation_rows:
            return []
        every, last = self._training.evaluate_every_epochs, self._training.epochs - 1
        lines = [*self._judge("val", "validation"), *self._tell_schedules(), *self._stop()]
        if every == 1:
            return lines
        return [f"if (epoch + 1) % {every} == 0 or epoch == {last}:", *_indented(lines, 1)]

    def _judge(self, name: str, part: str) -> list[str]:
        """Evaluate a part and print it."""
        keeps_best, is_test = self._keeps_best, name == "test"
        model = "model" if self._judges_elsewhere or (keeps_best and is_test) else "network"
        units = f", target[rows.{part}]" if self._subject.learns_target else ""
        lines = [f"values = evaluate({model}, x_{part}, y_{part}{units})"]
        if keeps_best and not is_test:
            lines.append(f'kept.see(values["{self._best_metric.removeprefix("val/")}"], {model})')
        if self._judges_elsewhere and not (keeps_best and is_test):
            lines = ["with judged() as model:", *_indented(lines, 1)]
        return [
            *self._exactly(lines),
            f'print("evaluation step", step, *(f"{name}/{{key}} {{value!r}}" for key, value in values.items()))',
        ]

    def _exactly(self, lines: list[str]) -> list[str]:
        """Statements that judge, kept from the short products of the training."""
        if self._training.precision != "tf32" or self._subject.device != "cuda":
            return lines
        exact = self._page.line("with ", Call("training.device.exact_products", _names("device")), ":")
        return [exact, *_indented(lines, 1)]

    def _tell_schedules(self) -> list[str]:
        lines: list[str] = []
        for watch in self._steps.watches:
            see = f'{watch.variable}.see(values["{watch.metric.removeprefix("val/")}"])'
            ends = watch.end < self._subject.plan.total_steps
            if not ends:
                when = f"step >= {watch.start}" if watch.start else ""
            else:
                when = f"{watch.start} <= step < {watch.end}" if watch.start else f"step < {watch.end}"
            lines += [f"if {when}:", f"    {see}"] if when else [see]
        return lines

    def _stop(self) -> list[str]:
        """Early stopping, as `training.evaluation.Patience` does it."""
        stop = self._training.early_stopping
        if stop is None:
            return []
        self._page.imports.module("math")
        lower = better(stop.metric) == "lower"
        bound = f"best {'-' if lower else '+'} {stop.min_delta!r}" if stop.min_delta else "best"
        return [
            f'value = values["{stop.metric.removeprefix("val/")}"]',
            f"better = math.isfinite(value) if best is None else value {'<' if lower else '>'} {bound}",
            "best, waited = (value, 0) if better else (best, waited + 1)",
            f"if waited == {stop.patience}:",
            "    break",
        ]

    def _write_end(self) -> None:
        self._page.heading("Result")
        tested = self._judge("test", "test") if self._subject.plan.test_rows else []
        finite = ["if not all(weight.isfinite().all() for weight in network.parameters()):"]
        finite += ['    raise SystemExit("diverged")']
        best = ["model = kept.model(network)"] if self._keeps_best else []
        model = "model" if self._judges_elsewhere or best else "network"
        digest = self._page.line(
            'print("weights_sha256", ', Call("training.checkpoint.digest", _names(f"{model}.state_dict()")), ")"
        )
        judged = self._judges_elsewhere and not best
        kept = self._exactly(["with judged() as model:", f"    {digest}"]) if judged else [digest]
        self._page.code("\n".join([*best, *tested, *finite, *kept]))


def _names(*names: str) -> tuple[Name, ...]:
    return tuple(Name(name) for name in names)


def _indented(lines: Sequence[str], level: int) -> list[str]:
    return textwrap.indent("\n".join(lines), "    " * level).splitlines()

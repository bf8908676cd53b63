"""What was decided of pytorch_optimizer's optimizers after reading their source, and why."""

from __future__ import annotations

from pytorch_optimizer.optimizer.utils.matrix import NS_COEFFICIENTS

TORCH_HAS = {
    *("adadelta", "adafactor", "adam", "adamax", "adamw", "asgd", "lbfgs", "muon", "nadam", "radam", "rmsprop", "sgd")
}
"""Names that stand for PyTorch's own optimizer."""

ABSENT = {
    "a2grad": "Has no learning rate: a schedule would act on nothing.",
    "adalomo": "Updates the weights within the backward pass, where no gradient can be measured or clipped.",
    "adamc": "Scales the decay of groups that are marked as normalised, which no job marks; without it is AdamW.",
    "adamwsn": "Normalises groups that are marked for it, which no job marks; without it is AdamW.",
    "alig": "Has no learning rate: a schedule would act on nothing.",
    "apollo": "Projects groups of weights that name a rank, which no job can; without one it is AdamW.",
    "bsam": "Has to be told how many rows it trains on; evaluates weights drawn at random.",
    "demo": "Is for several machines, and needs a library that is not installed.",
    "distributedmuon": "Is for several machines.",
    "fira": "Projects groups of weights that name a rank, which no job can; without one it is AdamW.",
    "fromage": "Its licence (CC BY-NC-SA 4.0) forbids commercial use.",
    "galore": "Projects groups of weights that name a rank, which no job can; without one it is AdamW.",
    "lomo": "Updates the weights within the backward pass, where no gradient can be measured or clipped.",
    "lorarite": "Trains pairs of low-rank factors (LoRA), which no model of the catalog has.",
    "magma": "Keeps its state by the weights' addresses in memory, which another process has not.",
    "nero": "Its licence (CC BY-NC-SA 4.0) forbids commercial use.",
    "ranger21": "Has a schedule of its own for the whole run, against the job's.",
    "scionlight": "Keeps its momentum in the gradient, which is cleared before each step.",
    "swats": "Sets its own learning rate once it turns into SGD, against the job's schedule.",
}
"""Names of the library that no job can use, and why."""

NOT_A_KNOB = {
    "bf16_sr": "for bfloat16 weights",
    "data_format": "goes with merge_dims",
    "extra_l2": "makes weights grow, as its sign is the wrong one",
    "foreach": "decided by the device",
    "fused": "not to be had in this form",
    "lambda_rank": "draws from Python's own random numbers, which are not the run's",
    "maximize": "a loss is made small",
    "norm_type": "all but the automatic choice fail on some weight of a network",
    "master_weight_bits": "the number format is the job's",
    "merge_dims": "fails on matrices and vectors",
    "model_sharding": "for several devices",
    "num_embeds": "for transformers",
    "num_heads": "for transformers",
    "num_query_groups": "for transformers",
    "qk_clip_alpha": "for attention scores, which no job hands on",
    "qk_clip_threshold": "for attention scores, which no job hands on",
    "wd_schedule": "the job has a schedule for weight decay",
}
"""Arguments that a job does not set, and why."""

FIXED: dict[str, dict[str, bool | float]] = {
    "apollodqn": {"warmup_steps": 1, "init_lr": 0.0},  # a warmup is the job's schedule's
    "grokfastadamw": {"normalize_lr": False},  # the step would take a third of the lr that the job says
    "kron": {"balance_prob": 0.0},  # it draws from NumPy's numbers, not the run's
    "ranger": {"degenerated_to_sgd": True},  # without it the steps before the rectification go uphill
    "schedulefreeradam": {"silent_sgd_phase": True},  # without it the first steps have rate 1, whatever lr is
}
"""Arguments that are the same for every job, where the library's default would not do."""

FLOAT32_ONLY = {"fadam"}
"""What keeps some of its state in float32 and then cannot mix it with weights of float64."""

ONE_GROUP = {"emofact", "emolynx", "emonavi"}
"""What follows the loss anew for each group of weights, so that several would make its averages run ahead."""

NO_MOMENTUM = {"adai", "adasmooth", "aggmo", "scion"}
"""Where the knob of that name is none that can go along a schedule: no momentum, a key of the state, or the share of
the new."""

NOT_ZERO = {"accsgd": {"kappa", "xi", "constant"}}
"""What the library's checks let be 0 and its steps divide by."""

PRESETS = {"ns_coeffs": list(NS_COEFFICIENTS)}
"""Texts that an argument takes beside numbers."""

TABLE_NAMES = {
    "AdaPNM": "PNM",
    "AdaTAM": "TAM",
    "AdamS": "Stable WD",
    "AdamWSN": "SNSM",
    "Alice": "RACS & Alice",
    "ApolloDQN": "Apollo",
    "EmoFact": "EmoNavi",
    "EmoLynx": "EmoNavi",
    "GrokFastAdamW": "Grokfast",
    "Kron": "PSGD",
    "QHM": "QHAdam",
    "RACS": "RACS & Alice",
    "SCIONLight": "SCION",
    "SGDP": "AdamP",
    "ScalableShampoo": "Shampoo",
    "SophiaH": "Sophia",
    **{f"DAdapt{base}": "D-Adaptation" for base in ("AdaGrad", "Adam", "Adan", "Lion", "SGD")},
    **{f"ScheduleFree{base}": "Schedule-Free" for base in ("AdamW", "RAdam", "SGD")},
}
"""The names under which the library's table of papers has classes that it does not list by their own."""

UNLISTED = {"LARS": ("Large Batch Training of Convolutional Networks", "https://arxiv.org/abs/1708.03888")}
"""Papers that the table has not."""

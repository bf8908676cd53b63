// @ts-check
// Specs to begin with; each shows one thing.

/** @typedef {{title: string, about: string, spec: {[key: string]: any}}} Example */

/** @type {Example[]} */
export const EXAMPLES = [
  {
    title: "Digits",
    about: "The shortest job: every setting but the dataset has a default. A small network reads handwriting.",
    spec: { name: "digits", dataset: { name: "digits" } },
  },
  {
    title: "Digits, carefully",
    about: "Batch norm, AdamW and a warm-up that turns into half a cosine.",
    spec: {
      name: "digits with batch norm",
      dataset: { name: "digits" },
      model: { name: "mlp", hidden: [256, 128], normalization: { name: "batch_norm" } },
      optimizer: { name: "adamw", lr: 0.003 },
      schedule: [{ name: "linear_warmup", steps: 60 }, { name: "cosine" }],
      training: { epochs: 40 },
    },
  },
  {
    title: "Two spirals",
    about: "No straight line parts them. Watch the loss stand still before it falls.",
    spec: {
      name: "two spirals",
      dataset: { name: "spirals", n: 2000 },
      model: { name: "mlp", hidden: [64, 64, 64], activation: { name: "tanh" } },
      optimizer: { name: "adam", lr: 0.005 },
      training: { epochs: 120 },
    },
  },
  {
    title: "A ravine",
    about: "Features on scales 10,000 times apart, left raw: plain descent diverges or crawls. Set the preprocessing to standard.",
    spec: {
      name: "badly scaled, raw",
      dataset: { name: "badly_scaled" },
      preprocessing: { numeric: { name: "none" } },
      model: { name: "linear" },
      optimizer: { name: "sgd", lr: 0.01 },
      training: { epochs: 20 },
    },
  },
  {
    title: "Regression",
    about: "Diabetes: ten measurements, one number to predict, and an early stop before it learns the noise.",
    spec: {
      name: "diabetes",
      dataset: { name: "diabetes" },
      model: { name: "mlp", hidden: [32] },
      optimizer: { name: "adamw", lr: 0.003, weight_decay: 0.1 },
      training: { epochs: 200, early_stopping: { patience: 20 } },
    },
  },
];

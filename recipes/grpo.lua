--- GRPO fine-tuning with Open R1: from a model on the Hub to a better one on the Hub, by way of one rented pod.

return require("recipes.openr1.flow").recipe("grpo",
  "Fine-tunes a Hub model with GRPO (Open R1): checks model and token, rents the first fitting GPU that is free, trains "
  .. "there as a detached job, and leaves the result on the Hub.")

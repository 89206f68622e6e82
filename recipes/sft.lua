--- Supervised fine-tuning with Open R1: from a model on the Hub to a better one on the Hub, by way of one rented pod.

return require("recipes.openr1.flow").recipe("sft",
  "Fine-tunes a Hub model on examples with SFT (Open R1), as QLoRA unless told otherwise: checks model and token, rents "
  .. "the first fitting GPU that is free, trains there as a detached job, and leaves the result on the Hub.")

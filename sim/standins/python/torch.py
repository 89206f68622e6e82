"""Stand-in for torch: names only."""

bfloat16 = "bfloat16"

-- Cancels a task at 300 random moments while it writes to the journal, which a pool thread does: each cancellation must
-- arrive, also one that comes when a write is as good as done.

local run = require("podsmith.run").current()
local lost = 0
for _ = 1, 300 do
  local is_cancelled, writes_after = false, 0
  local child = task.spawn(function()
    repeat
      run:event("tick")
      if is_cancelled then writes_after = writes_after + 1 end
    until writes_after > 3
  end)
  task.sleep(math.random() * 0.004)
  is_cancelled = true
  child:cancel()
  if pcall(child.wait, child) then lost = lost + 1 end
end
print(("%d of 300 cancellations were lost"):format(lost))

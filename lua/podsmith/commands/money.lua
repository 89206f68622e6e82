--- `podsmith money`: balance, what runs now costs, what was spent by day and by run.

local core = require("podsmith.core")
local show = require("podsmith.show")
local shared = require("podsmith.commands.shared")

local function account_text(spending)
  local account, now = spending.account, spending.now
  local rows = {}
  if account and account.balance then rows[#rows + 1] = { "balance", show.money(account.balance) } end
  local parts = {}
  for _, name in ipairs { "pods", "clusters", "volumes" } do
    if now[name] > 0 then parts[#parts + 1] = ("%s %s"):format(name, show.money(now[name])) end
  end
  rows[#rows + 1] = { "burning", show.money(now.total) .. "/h" .. (#parts > 0 and " (" .. table.concat(parts, ", ") .. ")" or "") }
  if spending.hours_left then rows[#rows + 1] = { "lasts", show.duration(spending.hours_left * 3600) } end
  if account and account.spend_limit then rows[#rows + 1] = { "limit", show.money(account.spend_limit) .. "/h" } end
  local lines = {}
  for i, row in ipairs(rows) do lines[i] = ("%-9s %s"):format(row[1], row[2]) end
  return table.concat(lines, "\n")
end

local function days_text(days)
  local rows = {}
  for i, day in ipairs(days) do
    rows[i] = { day.day, show.money(day.pods), show.money(day.volumes), show.money(day.clusters), show.money(day.rest),
      show.money(day.total) }
  end
  return show.table({ "DAY (UTC)", "PODS", "VOLUMES", "CLUSTERS", "OTHER", "BILLED" }, rows)
end

local function runs_text(spending)
  local rows = {}
  for i, run in ipairs(spending.runs) do
    rows[i] = { run.run, run.recipe, core.utc_text(run.started_at), run.pods, show.money(run.counted),
      run.billed and show.money(run.billed) or "" }
  end
  if spending.other > 0 then rows[#rows + 1] = { "", "(others)", "", "", "", show.money(spending.other) } end
  return show.table({ "RUN", "RECIPE", "STARTED", "PODS", "COUNTED", "BILLED" }, rows)
end

return {
  name = "money", summary = "the balance, what runs now costs, and what was spent by day and by run",
  params = {
    { "days", "integer", default = 7, min = 1, max = 366, help = "days of Runpod's bill, today included" },
    { "runs", "integer", default = 20, min = 1, help = "most runs of this machine to show" },
    shared.SIM, shared.ENV_FILE, shared.JSON, shared.VERBOSE,
  },
  run = function(args)
    local spending = runpod.spending { days = args.days, runs = args.runs }
    if args.json then
      for _, name in ipairs { "days", "runs", "problems" } do spending[name] = json.array(spending[name]) end
      spending.now.unpriced = json.array(spending.now.unpriced)
      return shared.print_json(spending)
    end
    local texts = { account_text(spending) }
    if #spending.days > 0 then texts[#texts + 1] = days_text(spending.days) end
    if #spending.runs > 0 or spending.other > 0 then texts[#texts + 1] = runs_text(spending) end
    print(table.concat(texts, "\n\n"))
    for _, id in ipairs(spending.now.unpriced) do
      core.log("warn", ("the price of %s is not known and not counted"):format(id))
    end
    for _, text in ipairs(spending.problems) do core.log("warn", "not told: " .. text) end
  end,
}

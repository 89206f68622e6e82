--- The ways out of an interactive session, as ssh has them: "~" after a line end, then a letter.

local M = {}

local HELP = "\r\n~.  ends the connection\r\n~~  sends the ~\r\n~?  shows this\r\n"

--- Makes a function that is given what is typed, piece by piece, and says what to do with it.
---@return fun(data: string): {send: string, say?: string, is_end?: boolean}
function M.reader()
  local at_start, has_tilde = true, false
  return function(data)
    local out, step = {}, {}
    for byte in data:gmatch(".") do
      if has_tilde and byte == "." then
        step.is_end = true
        break
      elseif has_tilde and byte == "?" then
        step.say = HELP
        has_tilde = false
      elseif not has_tilde and at_start and byte == "~" then
        has_tilde = true
      else
        if has_tilde and byte ~= "~" then out[#out + 1] = "~" end
        out[#out + 1] = byte
        at_start, has_tilde = byte == "\r" or byte == "\n", false
      end
    end
    step.send = table.concat(out)
    return step
  end
end

return M

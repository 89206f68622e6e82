-- Stand-in: YAML on standard input as JSON, for the stand-in of PyYAML.
io.stdout:write(json.encode(yaml.decode(io.read("a"))))

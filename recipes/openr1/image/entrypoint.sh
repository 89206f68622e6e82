#!/bin/bash
# Lets SSH in with the pod's public key, then becomes the command.
set -euo pipefail

mkdir -p /run/sshd /root/.ssh
chmod 700 /root/.ssh
key=${SSH_PUBLIC_KEY:-${PUBLIC_KEY:-}}
keys=/root/.ssh/authorized_keys
touch "$keys"
chmod 600 "$keys"
if [ -n "$key" ] && ! grep -qxF -- "$key" "$keys"; then printf '%s\n' "$key" >>"$keys"; fi
if [ ! -s "$keys" ]; then echo "WARNING: neither SSH_PUBLIC_KEY nor PUBLIC_KEY is set: nobody can log in" >&2; fi

# Host keys are this pod's own. The log shows their fingerprints as Runpod's own images do.
ssh-keygen -A
echo "SSH host keys:"
for file in /etc/ssh/ssh_host_*_key.pub; do
  echo "Key: $file"
  ssh-keygen -lf "$file"
done

# Later sshd_config lines do not override earlier ones, so these come first. Keys only: no password opens a pod.
printf '%s\n' 'PermitRootLogin prohibit-password' 'PasswordAuthentication no' 'PubkeyAuthentication yes' |
  cat - /etc/ssh/sshd_config >/etc/ssh/sshd_config.new
mv /etc/ssh/sshd_config.new /etc/ssh/sshd_config
/usr/sbin/sshd
echo "Start script(s) finished, Pod is ready to use."

exec "$@"

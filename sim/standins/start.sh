#!/bin/bash
# Stand-in for /start.sh of the official Runpod images (without nginx and Jupyter).
set -e

if [ -x /pre_start.sh ]; then /pre_start.sh; fi
echo "Pod Started"

if [ -n "$PUBLIC_KEY" ]; then
    echo "Setting up SSH..."
    mkdir -p /root/.ssh
    printf '%s\n' "$PUBLIC_KEY" >>/root/.ssh/authorized_keys
    chmod 700 /root/.ssh
    chmod 600 /root/.ssh/authorized_keys
    # The real script makes an RSA key too; it costs a quarter of a second of processor time a pod, so not here.
    for type in ecdsa ed25519; do
        [ -f /etc/ssh/ssh_host_${type}_key ] ||
            ssh-keygen -q -t $type -N '' -C "root@$(hostname)" -f /etc/ssh/ssh_host_${type}_key
    done
    service ssh start
    echo "SSH host keys:"
    for key in /etc/ssh/*.pub; do
        echo "Key: $key"
        ssh-keygen -lf "$key"
    done
fi

# Values are not escaped, as in the real script.
printenv | grep -E '^[A-Z_][A-Z0-9_]*=' | grep -v '^PUBLIC_KEY' |
    awk -F= '{ value = $0; sub(/^[^=]*=/, "", value); print "export " $1 "=\"" value "\"" }' >/etc/rp_environment || true

if [ -x /post_start.sh ]; then /post_start.sh; fi
echo "Start script(s) finished, Pod is ready to use."
sleep infinity

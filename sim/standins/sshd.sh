#!/bin/bash
# Simulator: starts the pod's SSH server, OpenSSH or (podsmith sim --sshd dropbear) Dropbear, on the port of sshd_config.
if ! grep -qx SIM_SSHD=dropbear /etc/podsmith-sim.env; then
    exec /usr/sbin/sshd -E /var/log/sshd.log
fi
port=$(sed -n 's/^Port //p' /etc/ssh/sshd_config)
keys=()
for type in ecdsa ed25519; do
    key=/etc/ssh/dropbear_${type}_host_key
    keys+=(-r "$key")
    [ -f "$key" ] && continue
    # The key that is there, so that what the log says stays true.
    dropbearconvert openssh dropbear "/etc/ssh/ssh_host_${type}_key" "$key" >>/var/log/sshd.log 2>&1
done
exec /usr/sbin/dropbear -E -s -p "127.0.0.1:$port" -P /run/sshd.pid "${keys[@]}" 2>>/var/log/sshd.log

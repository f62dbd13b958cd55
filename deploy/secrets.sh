#!/bin/sh
# Makes ./secrets for docker compose, once; never overwrites one that is there.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets
make() { [ -e "secrets/$1" ] || printf '%s\n' "$2" >"secrets/$1"; }
random() { head -c 32 /dev/urandom | base64 | tr -d '\n'; }
password=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
make secret_key "$(random)$(random)"
make master.key "k1:$(random)"
make index.key "k1:$(random)"
make signing.key "k1:$(random)"
make postgres.password "$password"
make pgpass "*:*:*:platewarden:$(cat secrets/postgres.password)"
# containers read them as user 10001
chown -R 10001 secrets 2>/dev/null || echo "run as root, or make ./secrets readable to uid 10001" >&2
echo "secrets/ is ready. Keep a copy of master.key and index.key elsewhere: without them every plate is noise."

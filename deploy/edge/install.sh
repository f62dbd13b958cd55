#!/bin/sh
# Installs the edge agent on Debian, Ubuntu, Raspberry Pi OS or JetPack, as root, from a folder that
# holds what `./run wheel` made (the wheel and requirements.txt) and this script's neighbours:
#
#   sudo sh install.sh              # a plain processor, and a Raspberry Pi
#   sudo sh install.sh --own-runtime   # onnxruntime comes from the system (Jetson), not from here
#
# Once more is an update: the configuration, the device's key and the spool stay as they are.
set -eu

home=/opt/platewarden-edge
etc=/etc/platewarden-edge
here=$(cd "$(dirname "$0")" && pwd)
own_runtime=no
[ "${1:-}" = "--own-runtime" ] && own_runtime=yes

fail() { echo "install.sh: $1" >&2; exit 1; }

[ "$(id -u)" = 0 ] || fail "run it as root: sudo sh install.sh"
command -v systemctl >/dev/null || fail "there is no systemd here; docs/edge.md says how else"
wheel=$(ls "$here"/platewarden_edge-*.whl 2>/dev/null | sort -V | tail -n 1)
[ -n "$wheel" ] || fail "no platewarden_edge-….whl beside this script; make one with ./run wheel"
[ -f "$here/requirements.txt" ] || fail "no requirements.txt beside this script (./run wheel)"

python=
for name in python3.13 python3.12 python3.11 python3; do
    if command -v "$name" >/dev/null &&
        "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
    then python=$name; break; fi
done
[ -n "$python" ] || fail "Python 3.11 or newer with venv is missing: apt install python3-venv"

if ! getent passwd platewarden-edge >/dev/null; then
    useradd --system --user-group --home-dir /var/lib/platewarden-edge --shell /usr/sbin/nologin \
        platewarden-edge
fi

# picamera2 and a Jetson's onnxruntime belong to the system: the environment may see them.
mkdir -p "$home"
[ -x "$home/venv/bin/python" ] || "$python" -m venv --system-site-packages "$home/venv"
pinned="$home/requirements.txt"
cp "$here/requirements.txt" "$pinned"
if [ "$own_runtime" = yes ]; then
    "$home/venv/bin/python" -c 'import onnxruntime' 2>/dev/null ||
        fail "onnxruntime is not installed in the system; NVIDIA's index has it for JetPack"
    # its block: the name's line and the hashes below it
    awk '/^[a-z]/ { skip = /^onnxruntime==/ } !skip' "$here/requirements.txt" >"$pinned"
fi
"$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --require-hashes --no-deps -r "$pinned"
"$home/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    --no-deps --force-reinstall "$wheel"

install -d -m 0750 -g platewarden-edge "$etc"
[ -f "$etc/agent.toml" ] ||
    install -m 0640 -g platewarden-edge "$here/agent.toml" "$etc/agent.toml"
install -d -m 0700 -o platewarden-edge -g platewarden-edge /var/lib/platewarden-edge
ln -sf "$home/venv/bin/platewarden-edge" /usr/local/bin/platewarden-edge
echo "The guide is docs/edge.md of Platewarden." >"$home/README"
install -m 0644 "$here/platewarden-edge.service" /etc/systemd/system/platewarden-edge.service
systemctl daemon-reload

if [ -f /var/lib/platewarden-edge/device.json ]; then
    systemctl enable --now platewarden-edge
    systemctl restart platewarden-edge
    echo "Updated and running: $(platewarden-edge --version)"
else
    systemctl enable platewarden-edge
    cat <<'NEXT'
Installed. Now:
  1. put the camera into /etc/platewarden-edge/agent.toml
  2. sudo -u platewarden-edge platewarden-edge enrol --camera     (show it the QR code), or
     sudo -u platewarden-edge platewarden-edge enrol -            (paste the set-up token)
  3. sudo -u platewarden-edge platewarden-edge doctor
  4. sudo systemctl start platewarden-edge
NEXT
fi

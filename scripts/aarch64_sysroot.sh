#!/usr/bin/env bash
# Fetches the aarch64 libraries that cross-compiling needs into build/sysroot/aarch64 and leaves the system's own
# packages alone. The compiler and the emulator come from the distribution:
#   apt-get install g++-aarch64-linux-gnu qemu-user
set -euo pipefail
cd "$(dirname "$0")/.."
root="$PWD/build/sysroot/aarch64"
[ -e "$root/complete" ] && exit 0
. /etc/os-release
case "$ID" in
  debian) url=http://deb.debian.org/debian parts="main" keys=/usr/share/keyrings/debian-archive-keyring.gpg ;;
  ubuntu) url=http://ports.ubuntu.com/ubuntu-ports parts="main universe" keys=/usr/share/keyrings/ubuntu-archive-keyring.gpg ;;
  *) echo "needs the packages of Debian or Ubuntu; found \"$ID\"" >&2; exit 1 ;;
esac
mkdir -p "$root"/.apt/{lists/partial,cache/archives/partial}
: > "$root/.apt/status"
echo "deb [arch=arm64 signed-by=$keys] $url $VERSION_CODENAME $parts" > "$root/.apt/sources.list"
apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
  -o Dir::Etc::sourcelist="$root/.apt/sources.list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$root/.apt/lists"
  -o Dir::State::status="$root/.apt/status" -o Dir::Cache="$root/.apt/cache")
"${apt[@]}" update
(cd "$root/.apt" && "${apt[@]}" download libfmt-dev nlohmann-json3-dev libcli11-dev libyaml-cpp-dev libpcre2-dev \
  libutf8proc-dev libgtest-dev libgmock-dev)
for package in "$root"/.apt/*.deb; do dpkg-deb -x "$package" "$root"; done
touch "$root/complete"

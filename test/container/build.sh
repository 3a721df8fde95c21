#!/usr/bin/env bash
# Builds the repository's Dockerfile, unaltered, where no container engine runs and no image can be pulled.
#
#   test/container/build.sh [--keep] [--state DIR]
#
# Two stand-ins take the place of the base images: `debian` is made by debootstrap from this machine's own mirror, `oven/bun`
# is that plus the binary of the npm package `bun`. Names and versions are read from the Dockerfile. Everything happens in a
# temporary folder; nothing stays.
#
#   --keep       keep base images and downloads in $BVE_CONTAINER_CACHE (default: ~/.cache/bve-container) for the next run
#   --state DIR  leave the built image in DIR, which must be empty or new: `DIR/buildah images` shows it
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
image=bve
keep=false
state=

say() { printf '%4ds  %s\n' "$SECONDS" "$*"; }
die() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }
# What is missing is of this machine, not of the image: 75 is EX_TEMPFAIL of sysexits.h.
unable() { printf 'build.sh: %s\n' "$*" >&2; exit 75; }

main() {
  parse "$@"
  work=$(mktemp -d)
  trap 'rm -rf --one-file-system "$work"' EXIT
  export TMPDIR=$work/tmp # buildah, debootstrap and bun all spill here
  mkdir "$TMPDIR"
  state=${state:-$work/state}
  cache=$state/cache # the built image rests on the base images in there
  if $keep; then cache=${BVE_CONTAINER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bve-container}; fi
  mkdir -p "$state"
  [ -z "$(ls -A "$state")" ] || die "$state is not empty"
  mkdir -p "$cache"
  state=$(cd "$state" && pwd)
  cache=$(cd "$cache" && pwd)

  [ "$(id -u)" = 0 ] || unable 'needs root, for chroot and mounts'
  install_tools
  bun_version=$(from_line 'oven/bun:\([0-9.]*\)')
  suite=$(from_line 'debian:\([a-z]*\)-slim')

  exec 9>"$cache/lock"
  flock 9 # two runs with --keep at once: the second waits for the first one's base images
  fetch_bun
  fetch_packages
  make_base_images
  build_image
  flock -u 9
}

parse() {
  while [ $# -gt 0 ]; do
    case $1 in
      --keep) keep=true ;;
      --state) state=${2:?--state takes a folder}; shift ;;
      *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 2 ;;
    esac
    shift
  done
}

# The part of a FROM line that the pattern's group matches.
from_line() {
  local found
  found=$(sed -n "s|^FROM $1.*|\1|p" "$repo/Dockerfile" | head -n 1)
  [ -n "$found" ] || die "no FROM line like '$1' in the Dockerfile"
  printf '%s' "$found"
}

install_tools() {
  command -v npm >/dev/null || unable 'npm is missing: it downloads the bun binary'
  local missing=() pair
  for pair in buildah:buildah debootstrap:debootstrap unshare:util-linux; do
    command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || unable "missing: ${missing[*]}"
  say "apt-get install ${missing[*]}"
  {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  } >"$work/apt.log" 2>&1 </dev/null || { cat "$work/apt.log" >&2; unable "could not install: ${missing[*]}"; }
}

# The same release of Bun as in the official image, as its npm package ships it.
fetch_bun() {
  bun=$cache/bun-$bun_version
  [ -x "$bun" ] && return
  say "npm install bun@$bun_version"
  npm install --silent --no-save --cache "$work/npm" --prefix "$work/bun" "bun@$bun_version" </dev/null
  cp "$work/bun/node_modules/bun/bin/bun.exe" "$bun.new"
  [ "$("$bun.new" --version)" = "$bun_version" ] || die "the npm package bun@$bun_version does not run here"
  mv "$bun.new" "$bun"
  rm -rf "$work/npm" "$work/bun"
}

# What the lock file names, in bun's own cache. Mounted into the build, it lets `bun install` do without a network.
fetch_packages() {
  packages=$cache/packages
  say 'bun install, to fill the package cache'
  mkdir -p "$packages" "$work/install"
  cp "$repo"/{package.json,bun.lock,bunfig.toml} "$work/install/"
  (cd "$work/install" && BUN_INSTALL_CACHE_DIR=$packages "$bun" install --frozen-lockfile --silent)
  rm -rf "$work/install"
}

# Both base images live in a store of their own, which the build's store reads and never writes.
make_base_images() {
  bases=$cache/$suite-bun-$bun_version
  if [ -e "$bases/complete" ]; then return; fi
  rm -rf --one-file-system "$bases"
  mkdir "$bases"
  buildah=(buildah --root "$bases" --runroot "$work/run-bases" --storage-driver vfs)

  say "debootstrap $suite"
  local mirror rootfs=$work/rootfs container
  mirror=$(mirror_of "$suite")
  if [ -z "$mirror" ]; then # a machine whose lists were never fetched, or cleaned away
    apt-get update -qq >"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; unable 'apt-get update failed'; }
    mirror=$(mirror_of "$suite")
  fi
  [ -n "$mirror" ] || unable "this machine's apt sources know no mirror of Debian $suite"
  # A mount namespace of its own, so that no /proc stays mounted below, whatever happens.
  unshare --mount debootstrap --variant=minbase --force-check-gpg "$suite" "$rootfs" "$mirror" >"$work/debootstrap.log" 2>&1 </dev/null ||
    { tail -n 20 "$work/debootstrap.log" >&2; unable 'debootstrap failed'; }
  # What sets Debian's `-slim` images apart, and what only this machine knows.
  rm -rf "$rootfs"/usr/share/{doc,info,locale,man}/* "$rootfs"/var/{cache/apt,lib/apt/lists}/* \
    "$rootfs"/etc/{resolv.conf,hostname,apt/sources.list}

  say 'base images'
  container=$("${buildah[@]}" from scratch)
  "${buildah[@]}" add --quiet "$container" "$rootfs" / >/dev/null
  "${buildah[@]}" config --cmd '["bash"]' \
    --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
  "${buildah[@]}" commit --quiet --rm --format docker "$container" "debian:$suite-slim" >/dev/null
  rm -rf --one-file-system "$rootfs"

  container=$("${buildah[@]}" from --pull=never "debian:$suite-slim")
  "${buildah[@]}" add --quiet --chmod 0755 "$container" "$bun" /usr/local/bin/bun >/dev/null
  "${buildah[@]}" config --workingdir /home/bun/app --cmd '["/usr/local/bin/bun"]' "$container"
  "${buildah[@]}" commit --quiet --rm --format docker "$container" "oven/bun:$bun_version" >/dev/null
  touch "$bases/complete"
}

# Where this machine's apt gets that release from, whichever way its sources are written.
# shellcheck disable=SC2016 # $(REPO_URI) is apt's to fill in
mirror_of() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $1" 'Component: main' | head -n 1
}

build_image() {
  # A command of its own, so that whoever gets the state folder can look into it.
  printf '#!/bin/sh\nexec buildah --root %q --runroot %q --storage-driver vfs --storage-opt %q "$@"\n' \
    "$state/store" "$state/run" "vfs.imagestore=$bases" >"$state/buildah"
  chmod +x "$state/buildah"

  local commit
  commit=$(git -C "$repo" rev-parse --short=12 HEAD 2>/dev/null) || commit=unknown
  say "Dockerfile, commit $commit"
  # Without a network, so that a pass proves that nothing but the two images and the cache is needed. The docker format,
  # because OCI's has no HEALTHCHECK. The mount leaves its mark only in stages that RUN something: not in the last.
  unshare --net "$state/buildah" bud --isolation chroot --pull=never --format docker --no-cache --layers=false \
    --volume "$packages:/root/.bun/install/cache" --build-arg "BVE_COMMIT=$commit" --tag "$image" "$repo" </dev/null
  say "built: $("$state/buildah" images --filter "reference=$image" --format '{{.Name}} {{.Size}}')"
}

main "$@"

#!/usr/bin/env bash
# Builds the image (build.sh) and runs it the way an engine would: its root read-only, its user, its environment and nothing
# of ours, the server as process 1 of its own process, mount and network namespaces. The only network is that loopback.
#
#   test/container/check.sh [--keep]        --keep: as for build.sh
#
# One line for each check, ok or FAILED; exit code 1 if any failed, 2 for a wrong call.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
passed=0
failed=0
server= # the process whose exit code is the server's
init=   # its child: process 1 of the namespaces, with which all others in there end
start_limit_s=30 # far more than it takes: a machine may be busy
stop_limit_s=5

main() {
  case "${1-}" in '' | --keep) ;; *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 2 ;; esac
  state=$(mktemp -d)
  trap cleanup EXIT
  export TMPDIR=$state/tmp
  mkdir "$TMPDIR" "$state/build"
  bash "$here/build.sh" "$@" --state "$state/build"
  install_tools
  open_image
  cd "$state"

  check_configuration
  check_contents
  check_commands
  check_server
  printf '\n'
  "$state/build/buildah" images --filter reference=bve --format 'image {{.Size}}'
  printf 'binary %s MB\nhealthy after %s ms, stopped in %s ms\n' \
    "$(($(stat -c %s "$root/usr/local/bin/bve") / 1000000))" "$start_ms" "$stop_ms"
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" = 0 ]
}

cleanup() {
  if [ -n "$server" ]; then kill -KILL "$init" 2>/dev/null || true; fi
  cd /
  rm -rf --one-file-system "$state"
}

# After build.sh, which has installed or refused what it needs itself.
install_tools() {
  local missing=() pair
  for pair in curl:curl ip:iproute2 pgrep:procps nsenter:util-linux; do
    command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -eq 0 ] ||
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null </dev/null
}

# ---- what is checked

# shellcheck disable=SC2016 # the dollar signs are those of Go's templates
check_configuration() {
  check 'runs as a fixed, numeric user that is not root' matches '^[1-9][0-9]*:[1-9][0-9]*$' "$user"
  check 'entry point and command are in exec form' equal 'bve serve' "${entrypoint[*]} ${command[*]}"
  check 'health check is in exec form' equal 'CMD bve check --health' "${health[*]}"
  check 'stops by SIGTERM' equal SIGTERM "$(config '{{.StopSignal}}')"
  check 'exposes 8080' equal 8080/tcp "$(config '{{range $port, $_ := .ExposedPorts}}{{$port}}{{end}}')"
  check '/data is a volume' equal /data "$(config '{{range $path, $_ := .Volumes}}{{$path}}{{end}}')"
  check 'carries OCI labels' matches . "$(config '{{index .Labels "org.opencontainers.image.title"}}')"
}

check_contents() {
  check 'adds the binary and /data to its base, nothing else' equal $'/data\n/usr/local/bin/bve' "$(added_files)"
  check 'has no bun, node_modules, sources or repository' equal '' "$(foreign_files)"
  check 'the binary belongs to root, and only root may write it' equal '0:0 755' \
    "$(stat -c '%u:%g %a' "$root/usr/local/bin/bve")"
  check '/data belongs to the user' equal "$user" "$(stat -c %u:%g "$root/data")"
}

check_commands() {
  local version commit
  commit=$(config '{{index .Labels "org.opencontainers.image.revision"}}')
  version=$(run bve version) || true
  check "bve version prints '$version'" matches '[0-9]+\.[0-9]+\.[0-9]+' "$version"
  check 'bve version and the label name the same commit' contains "$commit" "$version"
  check 'bve serve refuses to start without FUELIX_API_KEY' exits '[12]' run "${entrypoint[@]}" "${command[@]}"
  check '… and names it' contains FUELIX_API_KEY "$(cat out err)"
  check 'the health check exits 1 when nothing runs' exits 1 run "${health[@]:1}"
  extra=(TMPDIR=/data)
  check 'bve demo --once streams an answer' exits 0 run bve demo --once
}

check_server() {
  local key settings
  # An upstream that refuses every connection: what gets past the gateway's own checks ends in a 502.
  settings=(FUELIX_API_KEY=not-a-real-key API_KEY_PEPPER=not-a-real-pepper-either FUELIX_BASE_URL=http://127.0.0.1:9/v1)
  extra=("${settings[@]}")

  start_server
  wait_for_health
  check "bve serve answers /health with 200 within ${start_limit_s} s" equal 200 "$health_status"
  if [ "$health_status" != 200 ]; then
    stop_server
    cat server.log
    return
  fi
  check 'it is process 1' equal 1 "$(awk '/^NSpid:/ { print $NF }' "/proc/$init/status")"
  check 'it runs as that user, in all of its identities' equal "${user%:*} ${user%:*} ${user%:*} ${user%:*}" \
    "$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$init/status")"
  check 'it holds no capability' equal 0000000000000000 "$(awk '/^CapEff:/ { print $2 }' "/proc/$init/status")"
  check '/ready answers 200' equal 200 "$(status_of /ready)"
  check 'the health check exits 0' exits 0 enter "${health[@]:1}"
  extra=()
  check '… when the settings are not in its environment (serve --config FILE)' exits 0 enter "${health[@]:1}"
  extra=("${settings[@]}" HTTP_PROXY=http://127.0.0.1:9)
  check '… when there is a proxy for the way upstream' exits 0 enter "${health[@]:1}"
  extra=("${settings[@]}")
  check 'bve keys create beside the running server' exits 0 enter bve keys create --name check --json
  key=$(grep -oE 'sk-bve-[0-9a-f]{64}' out || true)
  check '… prints a key' matches . "$key"
  check 'the database is in /data and belongs to the user' equal "$user" "$(stat -c %u:%g "$state/data/bve.db" 2>&1)"
  check 'the server lets that key through' equal 502 "$(status_of /v1/models --header "Authorization: Bearer $key")"
  check 'the server refuses another' equal 401 "$(status_of /v1/models --header 'Authorization: Bearer sk-bve-wrong')"
  stop_server
  check 'SIGTERM ends process 1 with exit code 0' equal 0 "$code"
  check "… within ${stop_limit_s} s" below $((stop_limit_s * 1000)) "$stop_ms"

  check 'the next container on the same volume' exits 0 run bve keys list --json
  check '… still has the key' contains '"name":"check"' "$(tr -d ' \n' <out)"
  check 'the log holds no secret' matches_not "not-a-real|${key:-sk-bve-}" "$(cat server.log)"
  if [ "$failed" != 0 ]; then printf '\nthe log of the server:\n' && cat server.log; fi
}

# ---- the image

open_image() {
  local container
  container=$("$state/build/buildah" from --pull=never bve)
  root=$("$state/build/buildah" mount "$container")
  user=$(config '{{.User}}')
  workdir=$(config '{{.WorkingDir}}')
  mapfile -t environment < <(config '{{range .Env}}{{println .}}{{end}}' | sed '/^$/d')
  mapfile -t entrypoint < <(config '{{range .Entrypoint}}{{println .}}{{end}}' | sed '/^$/d')
  mapfile -t command < <(config '{{range .Cmd}}{{println .}}{{end}}' | sed '/^$/d')
  mapfile -t health < <(config '{{if .Healthcheck}}{{range .Healthcheck.Test}}{{println .}}{{end}}{{end}}' | sed '/^$/d')
  extra=() # variables beside the image's own
  cp -a "$root/data" "$state/data" # as an engine fills a new volume
}

config() { "$state/build/buildah" inspect --type image --format "{{with .Docker.Config}}$1{{end}}" bve; }

added_files() {
  local base_name base
  base_name=$(sed -n 's/^FROM //p' "$here/../../Dockerfile" | tail -n 1)
  base=$("$state/build/buildah" mount "$("$state/build/buildah" from --pull=never "$base_name")")
  comm -13 <(cd "$base" && find . | sort) <(cd "$root" && find . | sort) | sed 's/^\.//'
}

foreign_files() {
  find "$root" -xdev \( -name 'bun*' -o -name node -o -name node_modules -o -name '*.ts' -o -name package.json \
    -o -name '.env*' -o -name .git \) -printf '/%P\n'
}

# ---- a container: namespaces and mounts, then the image's user and environment and nothing else

# Mounts what an engine mounts, then becomes the program: no shell stays behind between it and its signals.
read -r -d '' mount_and_exec <<'SH' || true
  set -e
  root=$1 volume=$2
  shift 2
  ip link set lo up
  mount --bind "$root" "$root"
  mount -o remount,bind,ro "$root"
  mount --bind "$volume" "$root/data"
  mount -t proc proc "$root/proc"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for device in null zero full random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
  done
  exec "$@"
SH

# Sets `line` to what runs the program, given that the namespaces are there; `limit` may stand before it.
as_user() {
  line=("${limit[@]}" env -i "${environment[@]}" "${extra[@]}" "$(command -v unshare)" --root="$root" --wd="$workdir"
    --setgid "${user#*:}" --setuid "${user%:*}" -- "$@")
}

in_new_container() {
  as_user "$@"
  line=(unshare --net --pid --mount --ipc --uts --fork --
    bash -c "$mount_and_exec" mount_and_exec "$root" "$state/data" "${line[@]}")
}

# A container for one command, as `docker run --rm` would. The time limit sits inside, as process 1: from outside it would end
# `unshare` and not the program, whose change of user undoes `--kill-child`.
run() {
  local limit=(timeout -s KILL 30)
  in_new_container "$@"
  "${line[@]}" </dev/null
}

# One command beside the server, as `docker exec` would.
enter() {
  local limit=(timeout -s KILL 30)
  as_user "$@"
  nsenter --target "$init" --net --pid --mount --ipc --uts -- "${line[@]}" </dev/null
}

start_server() {
  local limit=()
  in_new_container "${entrypoint[@]}" "${command[@]}"
  "${line[@]}" >server.log 2>&1 </dev/null &
  server=$!
  until init=$(pgrep -P "$server") || ! kill -0 "$server" 2>/dev/null; do sleep 0.01; done
}

# Sets `health_status` to what /health first answered, `start_ms` to how long that took.
wait_for_health() {
  local from=${EPOCHREALTIME/[.,]/}
  while
    health_status=$(status_of /health)
    start_ms=$(((${EPOCHREALTIME/[.,]/} - from) / 1000))
    [ "$health_status" = 000 ] && [ "$start_ms" -lt $((start_limit_s * 1000)) ] && kill -0 "$server" 2>/dev/null
  do sleep 0.01; done
}

status_of() {
  local path=$1
  shift
  nsenter --target "$init" --net -- curl --silent --noproxy '*' --max-time 5 --output answer --write-out '%{http_code}\n' \
    "$@" "http://127.0.0.1:8080$path" || true
}

# Sets `code` to the server's exit code (not 0 if it had to be killed), `stop_ms` to how long it took.
stop_server() {
  local from=${EPOCHREALTIME/[.,]/} end=$((SECONDS + stop_limit_s + 1))
  kill -TERM "$init" 2>/dev/null || true
  while kill -0 "$server" 2>/dev/null && [ "$SECONDS" -lt "$end" ]; do sleep 0.01; done
  kill -KILL "$init" 2>/dev/null || true
  code=0
  wait "$server" || code=$?
  server=
  stop_ms=$(((${EPOCHREALTIME/[.,]/} - from) / 1000))
}

# ---- one line for each check

check() {
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
    printf 'ok      %s\n' "$what"
  else
    failed=$((failed + 1))
    printf 'FAILED  %s: %s\n' "$what" "${problem:0:500}"
  fi
}

equal() { problem="expected '$1', got '$2'"; [ "$1" = "$2" ]; }
contains() { problem="no '$1' in '$2'"; [[ $2 == *"$1"* ]]; }
below() { problem="expected less than $1, got $2"; [ "$2" -lt "$1" ]; }
matches() { problem="expected /$1/, got '$2'"; [[ $2 =~ $1 ]]; }
matches_not() { problem="found /$1/"; ! [[ $2 =~ $1 ]]; }

# Leaves what the command printed in `out` and `err`.
exits() {
  local expected=$1 code=0
  shift
  "$@" >out 2>err || code=$?
  problem="expected exit code $expected, got $code: $(tail -n 3 out err)"
  [[ $code =~ ^$expected$ ]]
}

main "$@"

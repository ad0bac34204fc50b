#!/bin/sh
# Install what evpipe is built and tested with, and only what is missing: one
# table of names for four package managers. Run by `make deps`. With `peers` also
# the large ones that some tests run against, and else skip; .ci/run wants them.
set -eu

# what it is for | how to see that it is there | apt-get | dnf | apk | brew
table='
compiler|cmd cc|gcc libc6-dev|gcc|gcc musl-dev|-
make|cmd make|make|make|make|make
pkg-config|cmd pkg-config|pkg-config|pkgconf-pkg-config|pkgconf|pkgconf
libjq|header jq.h|libjq-dev libonig-dev|jq-devel oniguruma-devel|jq-dev oniguruma-dev|jq oniguruma
libcurl|pkg libcurl|libcurl4-openssl-dev|libcurl-devel|curl-dev|curl
sqlite3|pkg sqlite3|libsqlite3-dev|sqlite-devel|sqlite-dev|sqlite
pcre2|pkg libpcre2-8|libpcre2-dev|pcre2-devel|pcre2-dev|pcre2
libcrypto|pkg libcrypto|libssl-dev|openssl-devel|openssl-dev|openssl@3
libmd|pkg libmd|libmd-dev|libmd-devel|libmd-dev|libmd
libidn2|pkg libidn2|libidn2-dev|libidn2-devel|libidn2-dev|libidn2
libmicrohttpd|pkg libmicrohttpd|libmicrohttpd-dev|libmicrohttpd-devel|libmicrohttpd-dev|libmicrohttpd
librabbitmq|pkg librabbitmq|librabbitmq-dev|librabbitmq-devel|rabbitmq-c-dev|rabbitmq-c
bats|cmd bats|bats|bats|bats|bats-core
jq|cmd jq|jq|jq|jq|jq
curl|cmd curl|curl ca-certificates|curl|curl|curl
openssl|cmd openssl|openssl|openssl|openssl|openssl@3
sqlite3 shell|cmd sqlite3|sqlite3|sqlite|sqlite|sqlite
git|cmd git|git|git|git|git
pgrep|cmd pgrep|procps|procps-ng|procps|-
ip|cmd ip|iproute2|iproute|iproute2|-
zsh|cmd zsh|zsh|zsh|zsh|zsh
mandoc|cmd mandoc|mandoc|mandoc|mandoc|mandoc
shellcheck|cmd shellcheck|shellcheck|ShellCheck|shellcheck|shellcheck
clang|cmd clang|clang libclang-rt-dev|clang compiler-rt|clang compiler-rt|llvm
kcat|cmd kcat|kcat|kcat|-|kcat
JSON Schema suite|dir /usr/share/perl5/auto/share/dist/Test-JSON-Schema-Acceptance|libtest-json-schema-acceptance-perl|-|-|-
'

[ "${1:-}" != peers ] || table="$table
RabbitMQ|dir /usr/lib/rabbitmq/bin|rabbitmq-server|rabbitmq-server|rabbitmq-server|-
amqp tools|cmd amqp-publish|amqp-tools|librabbitmq-tools|-|-
Chromium|cmd chromium|chromium|chromium|chromium|-
"

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

there() {
	case $1 in
	cmd) command -v "$2" >/dev/null ;;
	pkg) pkg-config --exists "$2" 2>/dev/null ;;
	dir) test -d "$2" ;;
	header) echo "#include <$2>" | cc -E - >/dev/null 2>&1 ;;
	esac
}

if command -v apt-get >/dev/null; then
	column=3
elif command -v dnf >/dev/null; then
	column=4
elif command -v apk >/dev/null; then
	column=5
elif command -v brew >/dev/null; then
	column=6
else
	echo "make deps: no apt-get, dnf, apk or brew here; what is needed:" >&2
	echo "$table" | cut -d'|' -f1 | sed '/^$/d; s/^/  /' >&2
	exit 1
fi

missing=
while IFS='|' read -r what check names; do
	[ -n "$what" ] || continue
	# shellcheck disable=SC2086 # two words
	there $check && continue
	missing="$missing $(echo "$names" | cut -d'|' -f$((column - 2)))"
done <<END
$table
END

missing=$(echo "$missing" | tr ' ' '\n' | grep -v '^-*$' | sort -u |
	tr '\n' ' ') || true
if [ -z "$missing" ]; then
	echo "make deps: nothing is missing"
	exit 0
fi
echo "make deps: installing $missing"
# shellcheck disable=SC2086 # a list of names
case $column in
3)
	as_root apt-get update -qq
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
		--no-install-recommends $missing
	;;
4) as_root dnf install -y -q $missing ;;
5) as_root apk add -q $missing ;;
6) brew install -q $missing ;;
esac
